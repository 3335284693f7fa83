"""nbgrader's cell metadata (schema 3), so that a class which uses nbgrader can use our notebooks.

The schema allows no keys but its own. `checksum` is nbgrader's too: the MD5 of a cell as released.
It tells an answer that a learner changed from one that was not touched, also for our own build.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unblocked.authoring.notebooks._cells import Cell


def answer(cell: Cell, slug: str) -> Cell:
    """Return the cell a learner writes in: it may be edited and not deleted."""
    return _mark(cell, slug, {"solution": True, "grade": False, "locked": False})


def check(cell: Cell, slug: str, points: int) -> Cell:
    """Return the cell whose last value is the mark."""
    flags = {"solution": False, "grade": True, "locked": True}
    return _mark(cell, f"{slug}-check", flags, points=points)


def locked(cell: Cell) -> Cell:
    """Return a cell to read or to run only."""
    return _mark(cell, cell["id"], {"solution": False, "grade": False, "locked": True})


def _mark(cell: Cell, grade_id: str, flags: dict[str, bool], **points: int) -> Cell:
    marks: dict[str, Any] = {"schema_version": 3, "grade_id": grade_id, "task": False}
    marks |= flags | points | {"cell_type": cell.cell_type}
    cell.metadata["nbgrader"] = marks | {"checksum": checksum(cell.source, marks)}
    cell.metadata["deletable"] = False
    if flags["locked"]:
        cell.metadata["editable"] = False
    return cell


def checksum(source: str, marks: dict[str, Any]) -> str:
    """Return what nbgrader computes for a cell with this source and these marks."""
    parts = [source, marks["cell_type"], str(marks["grade"]), str(marks["solution"])]
    parts += [str(marks["locked"]), marks["grade_id"]]
    if marks["grade"]:
        parts.append(str(float(marks["points"])))
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def is_as_released(cell: Cell) -> bool:
    """Return whether the cell's text still has the checksum with which it was released."""
    marks = cell.metadata.get("nbgrader", {})
    known = {"cell_type", "grade", "solution", "locked", "grade_id", "checksum"} <= marks.keys()
    return known and bool(marks["checksum"] == checksum(cell.source, marks))
