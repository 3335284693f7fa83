"""`unblocked lab` opens the first lesson, in a clone and where the course came as a package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from unblocked.authoring import build, lab
from unblocked.authoring.reset import reset
from unblocked.course import CourseError

if TYPE_CHECKING:
    from pathlib import Path


class Jupyter:
    """Takes the place of the process: notes the command, is interrupted once, leaves with 3."""

    started: tuple[list[str], Path]

    def __init__(self, command: list[str], cwd: Path) -> None:
        Jupyter.started = (command, cwd)
        self._interrupts = iter([KeyboardInterrupt])

    def wait(self) -> int:
        for interrupt in self._interrupts:
            raise interrupt
        return 3


@pytest.fixture
def jupyter(monkeypatch: pytest.MonkeyPatch) -> type[Jupyter]:
    monkeypatch.setattr(lab, "Popen", Jupyter)
    return Jupyter


@pytest.fixture
def package(at_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The course as a wheel brings it, and an empty folder to work in, which is returned."""
    build.write(at_home)
    inside = at_home / "src" / "unblocked"
    (at_home / "course").rename(inside / "_course")
    for name in ("notebooks", "exercises"):
        shutil.move(at_home / name, inside / "_built" / name)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def clone(at_home: Path) -> Path:
    build.write(at_home)
    return at_home


def test_it_opens_the_first_lesson_of_the_clone(clone: Path, jupyter: Any) -> None:
    assert lab.lab(["--no-browser"]) == 3
    command, folder = jupyter.started
    assert folder == clone
    assert command[-1] == "--no-browser"  # after ours, so that the learner's count


# What jupyter_server makes of a command, without a server that runs.
RESOLVE = """
import json, sys
from jupyterlab.labapp import LabApp
server = LabApp.initialize_server(argv=sys.argv[1:])
print(json.dumps([server.root_dir, server.file_to_run, server.default_url]))
server.http_server.stop()
"""


def test_the_root_is_the_courses_folder(clone: Path, jupyter: Any) -> None:
    """Else links from lessons to exercises leave the root, and layouts point nowhere."""
    lab.lab(["--no-browser", "--port=0", "--allow-root"])
    command, folder = jupyter.started
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    env = {**os.environ, "HOME": str(clone), "JUPYTER_RUNTIME_DIR": str(clone / "runtime")}
    resolve = [sys.executable, "-c", RESOLVE, *command[3:]]
    done = subprocess.run(resolve, cwd=folder, env=env, capture_output=True, text=True, check=False)
    address = "/lab/tree/notebooks/00-start.ipynb"
    assert json.loads(done.stdout) == [str(clone), "", address], done.stderr


def test_before_the_first_build_the_mend_is_told(at_home: Path, jupyter: Any) -> None:
    with pytest.raises(CourseError, match="unblocked build"):
        lab.lab()


def test_a_package_unpacks_its_notebooks_and_overwrites_none(package: Path, jupyter: Any) -> None:
    (package / "exercises").mkdir()
    (package / "exercises" / "add-up.ipynb").write_text("mine")
    assert lab.lab() == 3
    assert jupyter.started[1] == package
    assert (package / "notebooks" / "01-counting.ipynb").is_file()
    assert (package / "exercises" / "add-up.ipynb").read_text() == "mine"


def test_own_notebooks_are_no_lessons(package: Path, jupyter: Any) -> None:
    """Many a home holds a notebooks/ of its own."""
    (package / "notebooks").mkdir()
    (package / "notebooks" / "my-own.ipynb").touch()
    assert lab.lab() == 3
    assert (package / "notebooks" / "00-start.ipynb").is_file()


def test_it_opens_the_copy_that_the_learner_is_in(
    package: Path, jupyter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.lab()
    monkeypatch.chdir(package / "exercises")
    lab.lab()
    assert jupyter.started[1] == package


def test_a_starter_is_not_put_where_nobody_works(package: Path) -> None:
    with pytest.raises(CourseError, match="Go to the course's folder"):
        reset("add-up")
    assert list(package.iterdir()) == []


def test_a_starter_comes_back_in_the_folder_above(
    package: Path, jupyter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.lab()
    (package / "exercises" / "add-up.ipynb").write_text("mine")
    monkeypatch.chdir(package / "exercises")
    reset("add-up")
    assert "TODO" in (package / "exercises" / "add-up.ipynb").read_text("utf-8")
    assert not (package / "exercises" / "exercises").exists()


def test_a_starter_comes_back_out_of_the_package(
    package: Path, jupyter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jupytext", None)
    lab.lab()
    (package / "exercises" / "add-up.ipynb").unlink()
    assert reset("add-up") == 0
    assert "TODO" in (package / "exercises" / "add-up.ipynb").read_text("utf-8")
