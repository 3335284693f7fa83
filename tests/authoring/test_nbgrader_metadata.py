"""What nbgrader reads in our notebooks: its schema 3, with no key of our own."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import pytest

from unblocked.authoring.notebooks import _nbgrader, exercise_notebook, solution_notebook
from unblocked.course import read_course

if TYPE_CHECKING:
    from pathlib import Path

KEYS = {
    "schema_version",
    "grade",
    "locked",
    "solution",
    "task",
    "grade_id",
    "points",
    "checksum",
    "cell_type",
}


@pytest.fixture(params=[exercise_notebook, solution_notebook], ids=["exercise", "solution"])
def notebook(request: pytest.FixtureRequest, root: Path) -> Any:
    course = read_course(root / "course")
    return request.param(course, course.rooms[0])


def marks(notebook: Any, grade_id: str) -> dict[str, Any]:
    return next(
        dict(cell.metadata.nbgrader)
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    )


def test_only_keys_of_the_schema(notebook: Any) -> None:
    for cell in notebook.cells:
        assert set(cell.metadata.get("nbgrader", {})) <= KEYS


def test_the_answer_may_be_edited_and_not_deleted(notebook: Any) -> None:
    found = marks(notebook, "add-up")
    assert (found["solution"], found["grade"], found["locked"]) == (True, False, False)
    assert "points" not in found
    cell = next(cell for cell in notebook.cells if cell.id == "add-up")
    assert cell.metadata.deletable is False
    assert "editable" not in cell.metadata


def test_the_check_is_locked_carries_the_points_and_ends_in_the_mark(notebook: Any) -> None:
    found = marks(notebook, "add-up-check")
    assert (found["solution"], found["grade"], found["locked"]) == (False, True, True)
    assert found["points"] == 10
    cell = next(cell for cell in notebook.cells if cell.id == "add-up-check")
    assert (cell.metadata.deletable, cell.metadata.editable) == (False, False)
    assert cell.source.splitlines()[-1] == "result.points"


def test_all_but_the_answer_and_the_cells_to_play_in_are_locked(notebook: Any) -> None:
    free = [cell.id for cell in notebook.cells if cell.metadata.get("editable", True)]
    assert free == ["add-up", "add-up-try-code-1"]


def test_grade_ids_are_unique_and_plain(notebook: Any) -> None:
    ids = [c.metadata.nbgrader.grade_id for c in notebook.cells if "nbgrader" in c.metadata]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_\-]+", grade_id) for grade_id in ids)


def test_order_of_the_cells(notebook: Any) -> None:
    ids = [cell.id for cell in notebook.cells]
    order = ["add-up-header", "add-up-statement-text-1", "add-up", "add-up-try-code-1"]
    order += ["add-up-check", "add-up-hints-text-1", "add-up-footer"]
    assert [cell_id for cell_id in ids if cell_id in order] == order


def test_the_checksum_is_nbgraders() -> None:
    marks = {"cell_type": "code", "grade": True, "solution": False, "locked": True}
    marks |= {"grade_id": "a-check", "points": 3}
    expected = hashlib.md5(b"1 + 1codeTrueFalseTruea-check3.0").hexdigest()
    assert _nbgrader.checksum("1 + 1", marks) == expected
