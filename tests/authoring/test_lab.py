"""`unblocked lab` opens the first lesson, in a clone and where the course came as a package."""

from __future__ import annotations

import shutil
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
    monkeypatch.setattr("subprocess.Popen", Jupyter)
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
    assert command[-2:] == ["--no-browser", "notebooks/00-start.ipynb"]


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


def test_a_starter_comes_back_out_of_the_package(
    package: Path, jupyter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jupytext", None)
    assert reset("add-up") == 0
    assert "TODO" in (package / "exercises" / "add-up.ipynb").read_text("utf-8")
