"""Tasks inside a lesson: an almost empty cell to write in, and the cell after it, which judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unblocked.authoring.notebooks._cells import Cell

TO_WRITE_IN = "now-you"
"""The tag of a cell that a learner fills; the task's own name is its second tag."""


def task_of(cell: Cell) -> str | None:
    """Return the name of the task that a cell is for, '' where it lacks one; None for any other
    cell.
    """
    tags: list[str] = cell.metadata.get("tags", [])
    if TO_WRITE_IN not in tags:
        return None
    others = [tag for tag in tags if tag != TO_WRITE_IN and tag != "raises-exception"]
    return others[0] if len(others) == 1 else ""
