"""Marks and answers leave a machine that vanishes, and come back."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from unblocked.course import CourseError
from unblocked.show import _download, _progress, _work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Machine = Callable[[str], Path]

ENVIRONMENT = {"Binder": "BINDER_LAUNCH_HOST", "Codespace": "CODESPACES"}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Goes to a machine with marks and exercises of its own, and returns its folder."""

    def go_to(name: str) -> Path:
        folder = tmp_path / name
        (folder / "exercises").mkdir(parents=True, exist_ok=True)
        monkeypatch.setenv("UNBLOCKED_HOME", str(folder / "home"))
        monkeypatch.setattr(_work, "working_folder", lambda: folder)
        return folder

    return go_to


def answer(folder: Path, text: str, slug: str = "serve-it") -> Path:
    path = folder / "exercises" / f"{slug}.ipynb"
    path.write_text(json.dumps({"cells": [], "metadata": {"answer": text}}), encoding="utf-8")
    return path


def mark(folder: Path, **points: float) -> None:
    (folder / "home").mkdir(exist_ok=True)
    marks = {slug: {"points": value, "max_points": 10} for slug, value in points.items()}
    (folder / "home" / "marks.json").write_text(json.dumps(marks), encoding="utf-8")


def points() -> dict[str, float]:
    return {slug: found["points"] for slug, found in _progress.read_marks().items()}


def test_what_was_saved_comes_back_elsewhere(machine: Machine) -> None:
    there = machine("binder")
    answer(there, "mine")
    mark(there, serve=7, bound=10)
    saved = there / "work.zip"
    assert _work.save(saved) == 0

    here = machine("laptop")
    starter = answer(here, "starter")
    old = starter.read_bytes()
    mark(here, serve=9)
    assert _work.restore(saved) == 0
    assert starter.read_bytes() == (there / "exercises/serve-it.ipynb").read_bytes()
    kept = [path for path in starter.parent.iterdir() if path != starter]
    assert [path.read_bytes() for path in kept] == [old]
    assert points() == {"serve": 9, "bound": 10}


def test_restoring_twice_changes_nothing(machine: Machine) -> None:
    folder = machine("binder")
    answer(folder, "mine")
    saved = folder / "work.zip"
    _work.save(saved)
    for _ in range(2):
        _work.restore(saved)
    assert len(list((folder / "exercises").iterdir())) == 1


@pytest.mark.parametrize(
    "members",
    [None, {}, {"marks.json": "[]"}, {"marks.json": "{}", "exercises/a.ipynb": "not JSON"}],
)
def test_another_file_is_refused(machine: Machine, members: dict[str, str] | None) -> None:
    folder = machine("laptop")
    file = folder / "other.zip"
    file.write_bytes(b"no zip")
    if members is not None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, text in members.items():
                archive.writestr(name, text)
    with pytest.raises(CourseError, match="unblocked save"):
        _work.restore(file)
    assert list((folder / "exercises").iterdir()) == []


def test_nothing_is_written_outside_the_exercises(machine: Machine) -> None:
    folder = machine("laptop")
    file = folder / "hostile.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("marks.json", "{}")
        for name in ("../up.ipynb", "exercises/../../up.ipynb", "/up.ipynb", "exercises/x/y.ipynb"):
            archive.writestr(name, "{}")
    _work.restore(file)
    assert list((folder / "exercises").iterdir()) == []
    assert not (folder.parent / "up.ipynb").exists()


@pytest.mark.parametrize("place", [*ENVIRONMENT, None])
def test_progress_warns_where_the_machine_vanishes(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str | None,
) -> None:
    machine("there")
    for name in ("BINDER_LAUNCH_HOST", "BINDER_SERVICE_HOST", "BINDER_REPO_URL", "CODESPACES"):
        monkeypatch.delenv(name, raising=False)
    if place is not None:
        monkeypatch.setenv(ENVIRONMENT[place], "true")
    _progress.progress()
    said = capsys.readouterr().out
    assert ("unblocked restore" in said) == (place is not None)
    assert (place or "Lessons") in said


def test_the_button_sends_what_there_is_when_it_is_pressed(monkeypatch: pytest.MonkeyPatch) -> None:
    content = [b"early", b"late"]
    button = _download.Download("Take", "a.zip", content.pop)
    sent: list[tuple[object, object]] = []
    monkeypatch.setattr(button, "send", lambda about, buffers: sent.append((about, buffers)))
    button._pressed(button, "make", [])
    button._pressed(button, "something else", [])
    assert sent == [({"name": "a.zip", "type": "application/octet-stream"}, [b"late"])]
    button.close()


def test_the_file_is_a_zip_of_marks_and_notebooks(machine: Machine) -> None:
    answer(machine("binder"), "mine")
    with zipfile.ZipFile(io.BytesIO(_work.packed())) as archive:
        assert archive.namelist() == ["marks.json", "exercises/serve-it.ipynb"]
