"""The cells around an exercise show what *this* attempt does, whatever was tried before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

from unblocked.authoring.notebooks import exercise_notebook

if TYPE_CHECKING:
    from pathlib import Path

    from unblocked.course import Course, Room

LEFT_OPEN = "wrong/module_client_never_closed.py"
TOO_EARLY = "wrong/closed_too_early.py"
UNQUOTED = "wrong/unquoted_name.py"
STARTER, SOLUTION = "starter.py", "solution.py"


def shown(course: Course, slug: str, answers: list[str]) -> list[str]:
    """What the try-it cells print for each answer, one after the other, in one kernel."""
    room = next(room for room in course.rooms if room.slug == slug)
    given, tries = _cells(course, room)
    texts = list(given)
    for answer in answers:
        texts += [(room.folder / answer).read_text(encoding="utf-8"), *tries]
    cells = [nbformat.v4.new_code_cell(text) for text in [*texts, "upstream.stop()"]]  # type: ignore[no-untyped-call]
    made = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    NotebookClient(made, timeout=60, kernel_name="python3").execute()
    step = 1 + len(tries)
    runs = [made.cells[start : start + step] for start in range(len(given), len(texts), step)]
    return ["".join(_printed(cell) for cell in run) for run in runs]


def _cells(course: Course, room: Room) -> tuple[list[str], list[str]]:
    """The code cells before the answer, and those between it and the check."""
    code = [c for c in exercise_notebook(course, room).cells if c.cell_type == "code"]
    ids = [cell["id"] for cell in code]
    answer, check = ids.index(room.slug), ids.index(f"{room.slug}-check")
    return [c.source for c in code[:answer]], [c.source for c in code[answer + 1 : check]]


def _printed(cell: nbformat.NotebookNode) -> str:
    return "".join(o.text for o in cell.outputs if o.get("name") == "stdout")


def test_fan_out_shows_calls_as_they_were_sent(course: Course) -> None:
    starter, unquoted, right = shown(course, "fan-out", [STARTER, UNQUOTED, SOLUTION])
    assert "in flight at the peak: 1\n" in starter
    assert "in flight at the peak: 5\n" in right
    assert "GET /users/a/b " in starter
    assert "GET /users/a/b " in unquoted
    assert "GET /users/a%2Fb " in right


def test_one_client_shows_what_each_life_of_this_app_leaves(course: Course) -> None:
    starter, leaves, right = shown(course, "one-client", [STARTER, LEFT_OPEN, SOLUTION])
    assert starter.count("connections opened: 5, left open after it: 0") == 2
    assert "connections opened: 1, left open after it: 1" in leaves
    assert right.count("connections opened: 1, left open after it: 0") == 2


@pytest.mark.parametrize("before", [STARTER, TOO_EARLY])
def test_stream_through_shows_what_was_given_up(course: Course, before: str) -> None:
    first, right = shown(course, "stream-through", [before, SOLUTION])
    assert "cut short: 1, held: 0" not in first
    assert "cut short: 1, held: 0" in right
    assert "RemoteProtocolError" in first or "cut short: 0, held: 0" in first


def test_stream_through_shows_an_answer_without_a_type(course: Course, tmp_path: Path) -> None:
    bare = tmp_path / "bare.py"
    text = (
        "from fastapi import FastAPI, Response\n\napp = FastAPI()\n\n\n"
        '@app.get("/download")\nasync def download():\n    return Response(b"")\n'
    )
    bare.write_text(text, encoding="utf-8")
    (first,) = shown(course, "stream-through", [str(bare)])
    assert "'type': None" in first
