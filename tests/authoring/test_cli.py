"""The command line: what is handed on, what is refused, what is not imported."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from unblocked import cli
from unblocked.authoring import build

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

HEAVY = ("jupytext", "nbformat", "matplotlib", "IPython", "jupyterlab", "fastapi", "httpx")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Any]]:
    """Puts an ear in the place of `module.function`; what it was called with is in the list."""

    def listen(target: str) -> list[Any]:
        calls: list[Any] = []
        monkeypatch.setattr(target, lambda *args, **kwargs: calls.append(args or kwargs) or 7)
        return calls

    return listen


def parsed(heard: Callable[[str], list[Any]], target: str, *argv: str) -> argparse.Namespace:
    calls = heard(target)
    assert cli.main(argv) == 7
    args: argparse.Namespace = calls[0][0]
    return args


def test_check_hands_on_what_the_grader_reads(heard: Callable[[str], list[Any]]) -> None:
    args = parsed(heard, "unblocked.grading.commands.check", "check", "a-b", "x.ipynb", "--json")
    assert (args.slug, args.file, args.json, args.stream) == ("a-b", Path("x.ipynb"), True, False)


def test_grade_hands_on_what_the_grader_reads(heard: Callable[[str], list[Any]]) -> None:
    pytest.importorskip("unblocked.grading.classroom.grade")
    options = ["--out", "marks", "--workers", "3", "--again", "--require", "landlock"]
    options += ["--roster", "r.csv", "--course", "mine", "--dask", "tcp://h:1"]
    args = parsed(heard, "unblocked.grading.classroom.grade.grade", "grade", "in", *options)
    assert (args.folder, args.out, args.workers) == (Path("in"), Path("marks"), 3)
    assert (args.again, args.require, args.dask) == (True, "landlock", "tcp://h:1")
    assert (args.roster, args.course) == (Path("r.csv"), Path("mine"))


def test_build_reset_new_and_site_are_ours(heard: Callable[[str], list[Any]]) -> None:
    calls = heard("unblocked.authoring.build.build")
    assert cli.main(["build", "--check"]) == 7
    assert calls == [{"check": True, "for_learners": None}]
    for target, argv in [
        ("reset.reset", ["reset", "a"]),
        ("new.new_exercise", ["new", "exercise", "a"]),
    ]:
        calls = heard(f"unblocked.authoring.{target}")
        assert cli.main(argv) == 7
        assert calls == [("a",)]


def test_lab_hands_its_options_on(heard: Callable[[str], list[Any]]) -> None:
    calls = heard("unblocked.authoring.lab.lab")
    assert cli.main(["lab", "--no-browser", "--port", "9000"]) == 7
    assert calls == [(["--no-browser", "--port", "9000"],)]


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["chek"],
        ["check"],
        ["check", "a", "b", "--jsn"],
        ["grade", "in"],
        ["grade", "in", "--out", "o", "--workers", "0"],
        ["grade", "in", "--out", "o", "--require", "luck"],
        ["build", "--check", "--for-learners", "x"],
        ["reset", "no-such-exercise"],
    ],
)
def test_misuse_is_one_sentence_and_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code: Any = cli.main(argv)
    except SystemExit as left:
        code = left.code
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("unblocked: ")


def test_a_fault_of_ours_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(slug: str) -> int:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("unblocked.authoring.reset.reset", broken)
    monkeypatch.delenv("UNBLOCKED_TRACEBACK", raising=False)
    assert cli.main(["reset", "a"]) == 2
    assert "ZeroDivisionError: oh" in capsys.readouterr().err
    monkeypatch.setenv("UNBLOCKED_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        cli.main(["reset", "a"])


@pytest.mark.parametrize("argv", [["list"], ["check", "no-such-exercise", "x.py"]])
def test_marks_are_looked_up_without_notebook_tools(argv: list[str]) -> None:
    program = (
        f"import sys; from unblocked.cli import main; main({argv!r}); "
        f"print(*set(sys.modules) & set({HEAVY!r}), file=sys.stderr)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == ""


# The small course in the place of ours; the rest is the command as it is.
IN_A_PIPE = """
import pathlib, sys
import unblocked.course
unblocked.course._PACKAGE = pathlib.Path("src/unblocked").absolute()
import unblocked.cli
sys.exit(unblocked.cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_what_a_pipe_cannot_hold_stops_no_command(at_home: Path, encoding: str) -> None:
    """As on Windows, where a pipe has the code page of the country."""
    build.write(at_home)
    (at_home / "exercises/add-up.ipynb").write_text("mine")
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PIPE, "reset", "add-up"],
        cwd=at_home,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    arrow = "→".encode(encoding, "backslashreplace")
    assert b"File " + arrow + b" Reload" in done.stdout


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_streams_of_others_are_left_alone(
    at_home: Path, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    """A notebook's streams cannot be changed; without a console there are none."""
    build.write(at_home)
    for put in (io.StringIO(), None):
        monkeypatch.setattr(sys, stream, put)
        assert cli.main(["reset", "add-up"]) == 0


def test_it_runs_as_a_module_too() -> None:
    command = [sys.executable, "-m", "unblocked", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("unblocked ")


def test_every_command_has_a_function_to_call() -> None:
    """Commands name their functions by text, so that `unblocked check` imports no other's."""
    commands = next(
        action.choices for action in cli._parser()._actions if isinstance(action.choices, dict)
    )
    for name, parser in commands.items():
        module, _, function = parser.get_default("command").args[0].partition(":")
        assert callable(getattr(import_module(f"unblocked.{module}"), function)), name
