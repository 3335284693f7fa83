"""Where learners work: found from where they are, or said that it is not there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from unblocked import _places
from unblocked.course import CourseError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a learner's copy below it; the course itself came as a package."""
    package = tmp_path / "site-packages" / "unblocked"
    (package / "_course" / "exercises" / "fan-out").mkdir(parents=True)
    (package / "_course" / "exercises" / "fan-out" / "exercise.md").touch()
    (package / "_course" / "lessons").mkdir()
    (package / "_course" / "lessons" / "00-start-here.md").touch()
    monkeypatch.setattr("unblocked.course._PACKAGE", package)
    home = tmp_path / "home"
    for name in ("notebooks/00-start-here.ipynb", "exercises/fan-out.ipynb", "course/lessons/x"):
        (home / "REPO" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "REPO" / name).touch()
    monkeypatch.chdir(home)
    return home


@pytest.mark.parametrize("place", [".", "notebooks", "exercises", "course/lessons"])
def test_it_is_found_from_inside(home: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.chdir(home / "REPO" / place)
    assert _places.working_folder() == home / "REPO"


@pytest.mark.parametrize("left", ["notebooks/00-start-here.ipynb", "exercises/fan-out.ipynb"])
def test_one_notebook_of_the_course_is_enough(
    home: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    for path in (home / "REPO").rglob("*.ipynb"):
        if path != home / "REPO" / left:
            path.unlink()
    monkeypatch.chdir(home / "REPO")
    assert _places.working_folder() == home / "REPO"


def test_elsewhere_it_is_said_where_to_go(home: Path) -> None:
    """A home may well hold folders of these names; their notebooks are others."""
    for name in ("notebooks", "exercises"):
        (home / name).mkdir()
        (home / name / "my-own.ipynb").touch()
    with pytest.raises(CourseError, match="Go to the course's folder"):
        _places.working_folder()


@pytest.fixture
def clone(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package is that of a clone, where the course is written."""
    clone = tmp_path / "clone"
    (tmp_path / "site-packages" / "unblocked" / "_course").rename(tmp_path / "course")
    (clone / "src").mkdir(parents=True)
    (tmp_path / "course").rename(clone / "course")
    (clone / "pyproject.toml").touch()
    monkeypatch.setattr("unblocked.course._PACKAGE", clone / "src" / "unblocked")
    return clone


def test_from_elsewhere_it_is_the_clone(clone: Path) -> None:
    assert _places.working_folder() == clone


def test_a_copy_is_nearer_than_the_clone_that_runs(
    clone: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a hub the clone is the administrator's, and learners have copies in their homes."""
    monkeypatch.chdir(home / "REPO")
    assert _places.working_folder() == home / "REPO"


def test_a_clone_of_somebody_else_is_no_place_to_work(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(CourseError, match="Go to the course's folder"):
        _places.working_folder()
