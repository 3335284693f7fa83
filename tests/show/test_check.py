"""What `check` shows while the grader works."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from unblocked.show import _check, _checkview

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
