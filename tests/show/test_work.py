"""Marks and answers leave a machine that vanishes, and come back."""

from __future__ import annotations

import errno
import io
import json
import os
import zipfile
from typing import TYPE_CHECKING

import pytest

from unblocked import marks
from unblocked.course import CourseError
from unblocked.show.learner import _download, _work, progress

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
    return {slug: found["points"] for slug, found in marks.best().items()}


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


def archived(file: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return file


@pytest.mark.parametrize(
    "members", [{}, {"marks.json": "[]"}, {"marks.json": "{"}, {"exercises/a.ipynb": "{}"}]
)
def test_another_file_is_refused(machine: Machine, members: dict[str, str]) -> None:
    folder = machine("laptop")
    with pytest.raises(CourseError, match="not a file that `unblocked save` made"):
        _work.restore(archived(folder / "other.zip", members))
    assert list((folder / "exercises").iterdir()) == []


def test_half_a_file_is_told_from_another(machine: Machine) -> None:
    folder = machine("binder")
    answer(folder, "mine")
    saved = folder / "work.zip"
    _work.save(saved)
    saved.write_bytes(saved.read_bytes()[:-30])
    with pytest.raises(CourseError, match=r"only a part of one. Fetch it again"):
        _work.restore(saved)


# --- one notebook that cannot be read --------------------------------------------------------

CONFLICT = '{\n "cells": [\n<<<<<<< HEAD\n'


@pytest.mark.parametrize("broken", ["", '{"cells": [', CONFLICT, "[]", "[" * 100_000])
def test_a_broken_notebook_travels_as_it_is_with_the_rest(
    machine: Machine, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    there = machine("binder")
    good = answer(there, "mine").read_bytes()
    (there / "exercises" / "fan-out.ipynb").write_text(broken, encoding="utf-8")
    mark(there, serve=7)
    saved = there / "work.zip"
    assert _work.save(saved) == 0
    assert "fan-out.ipynb cannot be read as a notebook" in capsys.readouterr().out

    here = machine("laptop")
    starter = answer(here, "starter", "fan-out").read_bytes()
    assert _work.restore(saved) == 0
    said = capsys.readouterr().out
    assert "fan-out.ipynb cannot be read as a notebook" in said
    assert "unblocked reset fan-out" in said
    assert (here / "exercises/serve-it.ipynb").read_bytes() == good
    assert (here / "exercises/fan-out.ipynb").read_text("utf-8") == broken
    assert starter in [path.read_bytes() for path in (here / "exercises").iterdir()]
    assert points() == {"serve": 7}


def test_a_damaged_member_is_named_and_the_rest_comes_back(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    there = machine("usb-stick")
    members = {"marks.json": "{}", "exercises/a.ipynb": '"damaged"', "exercises/b.ipynb": "{}"}
    saved = archived(there / "work.zip", members)
    saved.write_bytes(saved.read_bytes().replace(b'"damaged"', b'"dXmaged"', 1))
    assert _work.restore(saved) == 1
    assert [path.name for path in (there / "exercises").iterdir()] == ["b.ipynb"]
    assert "a.ipynb is damaged in work.zip" in capsys.readouterr().out


# --- how much -------------------------------------------------------------------------------


def test_what_restore_would_not_take_is_refused_at_saving(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = machine("binder")
    answer(folder, "x" * 2_000, "fan-out")
    answer(folder, "mine")
    monkeypatch.setattr(_work, "_MOST_BYTES", 1_000)
    with pytest.raises(CourseError, match=r"fan-out\.ipynb.*Clear"):
        _work.save(folder / "work.zip")
    assert not (folder / "work.zip").exists()


def test_what_unpacks_to_too_much_is_told_so(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = machine("binder")
    answer(folder, "x" * 2_000)
    saved = folder / "work.zip"
    _work.save(saved)
    monkeypatch.setattr(_work, "_MOST_BYTES", 1_000)
    with pytest.raises(CourseError, match="more than"):
        _work.restore(saved)


def test_save_says_how_many_notebooks_it_packed(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = machine("binder")
    answer(folder, "mine")
    answer(folder, "mine", "fan-out")
    mark(folder, serve=7)
    _work.save(folder / "work.zip")
    said = capsys.readouterr().out
    assert f"2 notebooks of {folder / 'exercises'}, and the marks of 1 exercise." in said


def test_without_a_notebook_nothing_is_saved(machine: Machine) -> None:
    folder = machine("binder")
    mark(folder, serve=7)
    with pytest.raises(CourseError, match=r"no notebook.*marks\.json"):
        _work.save(folder / "work.zip")
    assert not (folder / "work.zip").exists()


# --- what the file may be -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["exercises/serve-it.ipynb", "notes.txt", "work"])
def test_only_a_zip_is_written(machine: Machine, name: str) -> None:
    folder = machine("laptop")
    answer(folder, "mine")
    target = folder / name
    before = target.read_bytes() if target.exists() else None
    with pytest.raises(CourseError, match=r"\.zip"):
        _work.save(target)
    assert (target.read_bytes() if target.exists() else None) == before


def test_an_older_file_is_kept(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    folder = machine("laptop")
    answer(folder, "mine")
    target = folder / "Work.ZIP"
    target.write_bytes(b"older")
    _work.save(target)
    (kept,) = [path for path in folder.glob("*.ZIP") if path != target]
    assert kept.read_bytes() == b"older"
    assert kept.name in capsys.readouterr().out
    assert zipfile.is_zipfile(target)


def test_a_full_disk_leaves_the_older_file_where_it_is(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(half: Path, content: bytes) -> int:
        with half.open("wb") as file:
            file.write(content[:10])
        raise OSError(errno.ENOSPC, "No space left on device", str(half))

    folder = machine("laptop")
    answer(folder, "mine")
    target = folder / "work.zip"
    target.write_bytes(b"older")
    before = {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}
    monkeypatch.setattr(type(target), "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        _work.save(target)
    assert {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")} == before


def test_a_file_older_than_zips_is_packed(machine: Machine) -> None:
    """Files out of an image may be dated 1970, which a zip cannot say."""
    folder = machine("binder")
    os.utime(answer(folder, "mine"), (0, 0))
    assert _work.save(folder / "work.zip") == 0


def test_nothing_is_written_outside_the_exercises(machine: Machine) -> None:
    folder = machine("laptop")
    file = folder / "hostile.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("marks.json", "{}")
        for name in (
            "../up.ipynb",
            "exercises/../../up.ipynb",
            "/up.ipynb",
            "exercises/x/y.ipynb",
            "x/exercises/y.ipynb",
        ):
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
    progress()
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


def test_the_button_says_why_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> bytes:
        raise CourseError("There is no notebook.")

    button = _download.Download("Take", "a.zip", make)
    sent: list[object] = []
    monkeypatch.setattr(button, "send", lambda about, buffers=(): sent.append((about, buffers)))
    button._pressed(button, "make", [])
    assert sent == [({"error": "There is no notebook."}, ())]
    button.close()


def test_the_file_is_a_zip_of_marks_and_notebooks(machine: Machine) -> None:
    answer(machine("binder"), "mine")
    with zipfile.ZipFile(io.BytesIO(_work.pack())) as archive:
        assert archive.namelist() == ["marks.json", "exercises/serve-it.ipynb"]
