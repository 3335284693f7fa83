"""`unblocked check` from outside: what it prints, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from conftest import processes_named

from unblocked import course, verdicts
from unblocked.grading import checking
from unblocked.grading.judge.judging import Verdict

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks into /proc")

KEYS = {
    "exercise",
    "points",
    "max_points",
    "outcome",
    "checks",
    "isolation",
    "seconds",
    "course_version",
}


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "unblocked", "check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_full_marks_as_json() -> None:
    solution = str(course.room("one-client").solution)
    done = check("one-client", solution, "--json")
    result = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(result) == KEYS
    assert result["points"] == result["max_points"] == 10
    assert set(result["checks"][0]) == {"name", "passed", "points", "max_points", "message"}


def test_less_than_full_marks() -> None:
    done = check("one-client", str(course.room("one-client").wrong[0]))
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "Expected:" in done.stdout


def test_an_untouched_starter_is_not_attempted() -> None:
    done = check("one-client", str(course.room("one-client").starter))
    assert done.returncode == 1
    assert "Not attempted" in done.stdout
    assert "0 of 10 points" in done.stdout


def test_the_marks_are_remembered_and_listed() -> None:
    check("one-client", str(course.room("one-client").solution))
    command = [sys.executable, "-m", "unblocked", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert any("one-client" in line and "10/10" in line for line in listed.splitlines())
    assert listed.splitlines()[-1].startswith("Next: ")
    assert all(lesson.title in listed for lesson in course.lessons())


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("nowhere.ipynb", None, "There is no file"),
        ("notes.txt", "x", "neither a notebook"),
        ("cut.ipynb", '{"cells": [', "no notebook, or is cut off"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, name: str, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    done = check("one-client", str(tmp_path / name), "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_exercise_that_is_not_there(tmp_path: Path) -> None:
    done = check("one-cleint", str(tmp_path / "x.py"))
    assert done.returncode == 2
    assert "Did you mean 'one-client'?" in done.stderr


def test_a_notebook_without_the_answer(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text('{"cells": []}')
    done = check("one-client", str(tmp_path / "a.ipynb"), "--json")
    result = json.loads(done.stdout)
    assert (done.returncode, result["outcome"], result["points"]) == (1, "no-answer", 0)


def test_an_answer_that_exits(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import os\nos._exit(0)  # 86395\n")
    done = check("one-client", str(tmp_path / "a.py"), "--json")
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (1, "crashed")
    assert not processes_named("86395")


def _verdict(*, passed: bool) -> dict[str, Any]:
    return Verdict("lets go", passed, 2 * passed, 2, "Saw: 5 open").as_dict()


def test_a_second_judging_is_announced_and_tells_only_what_changed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reporter = verdicts.Printed()
    for passed in (False, False, True):
        reporter.update(_verdict(passed=passed))
        reporter.again(1)
    said = capsys.readouterr().out
    assert (said.count("FAILED"), said.count("passed  2/2")) == (1, 1)
    assert "1 criterion is judged once more" in said


def test_a_second_judging_is_a_line_of_the_stream(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = checking._Streamed()
    reporter.update(_verdict(passed=False))
    reporter.again(3)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["name"] == "lets go"
    assert lines[1] == {"again": 3}
