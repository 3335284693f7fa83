"""What `check` shows while the grader works."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from unblocked import course
from unblocked.show.learner import _check, _checkview

if TYPE_CHECKING:
    from pathlib import Path

RESULT = {"outcome": "graded", "points": 5, "max_points": 5, "checks": []}


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[str]]:
    """What a notebook is given, one after the other, by the place that shows it."""
    shown: dict[int, list[str]] = {}

    def put(slot: object, bundle: dict[str, str]) -> None:
        shown.setdefault(id(slot), []).append(bundle["text/plain"])

    for module in (_check, _checkview):
        monkeypatch.setattr(module, "in_kernel", lambda: True)
    monkeypatch.setattr(_checkview.Slot, "put", put)
    return shown


@pytest.fixture
def room(tmp_path: Path) -> Any:
    statement = tmp_path / "exercise.md"
    statement.write_text("Do it.\n", encoding="utf-8")
    return SimpleNamespace(slug="go", title="Let go", points=5, statement=statement)


def test_something_is_there_before_the_grader_speaks(
    pages: dict[int, list[str]], room: Any
) -> None:
    shown = _check._Shown(room)
    assert [*pages.values()] == [["Let go: Starting the grader …"]]
    shown.line({"criteria": ["lets go"]})
    shown.line({**RESULT})
    shown.end()
    ((first, waiting, last),) = pages.values()
    assert "Starting" in first
    assert "lets go: waiting" in waiting
    assert "everything passed" in last


def test_a_grader_that_never_began_is_not_said_to_start(
    pages: dict[int, list[str]], room: Any
) -> None:
    shown = _check._Shown(room)
    shown.end()
    ((_, last),) = pages.values()
    assert last == "Let go: The grader has stopped."


def test_the_learners_own_files_are_not_taken_for_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("queue", "asyncio"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('a file of the learner')\n")
    answer = tmp_path / "answer.py"
    answer.write_text("# exercise: serve-in-process\nraise ValueError('mine')\n")
    monkeypatch.chdir(tmp_path)
    result = asyncio.run(_check._marked(course.room("serve-in-process"), answer))
    assert result.outcome == "crashed"


def test_what_the_grader_says_in_another_encoding_is_still_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    grader = tmp_path / "unblocked.py"
    grader.write_text("import sys; sys.stderr.buffer.write(b'caf\\xe9 is closed')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result = asyncio.run(_check._marked(course.room("serve-in-process"), tmp_path / "answer.py"))
    assert result.outcome == "no-answer"
    assert "is closed" in capsys.readouterr().out
