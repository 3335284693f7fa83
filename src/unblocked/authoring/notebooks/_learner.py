"""Tells what in a notebook is a learner's own, and whether the rest is as it was built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat

from unblocked.authoring.notebooks import _nbgrader
from unblocked.authoring.notebooks._exercises import digest, marker

if TYPE_CHECKING:
    from pathlib import Path

    from unblocked.authoring.notebooks._cells import Cell, Notebook


def read_notebook(path: Path) -> Notebook | None:
    """Return the notebook, or None when the file is not one."""
    try:
        found = nbformat.v4.reads(path.read_text(encoding="utf-8"))  # type: ignore[no-untyped-call]
        nbformat.validate(found)
    except (ValueError, AttributeError, KeyError, TypeError, nbformat.ValidationError):
        return None
    return found if found.get("nbformat") == 4 else None


def is_answer(cell: Cell, slug: str) -> bool:
    """Return whether a cell holds the answer, by its metadata or by its first line."""
    marks = cell.metadata.get("nbgrader", {})
    begins = cell.cell_type == "code" and cell.source.lstrip().startswith(marker(slug))
    return bool(marks.get("grade_id") == slug or begins)


def holds_work(found: Notebook, slug: str) -> bool:
    """Return whether a build would overwrite something that a learner wrote."""
    return any(_is_work(cell, slug) for cell in found.cells)


def _is_work(cell: Cell, slug: str) -> bool:
    if is_answer(cell, slug):
        return not _nbgrader.is_as_released(cell)
    if _is_locked(cell):
        return False
    built = _built(cell)
    return bool(cell.source.strip()) if built is None else built != digest(cell.source)


def _is_locked(cell: Cell) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("locked"))


def _built(cell: Cell) -> str | None:
    built: str | None = cell.metadata.get("unblocked", {}).get("built")
    return built


def exercise_in_step(found: Notebook, fresh: Notebook, slug: str) -> bool:
    """Return whether an exercise, run and solved or not, is the one that would be built now."""
    if _locked_part(found) != _locked_part(fresh) or not _has_answer_cell(found, slug):
        return False
    left, wanted = _untouched_part(found, slug), _untouched_part(fresh, slug)
    return left <= wanted if holds_work(found, slug) else left == wanted


def _has_answer_cell(found: Notebook, slug: str) -> bool:
    return any(cell.metadata.get("nbgrader", {}).get("grade_id") == slug for cell in found.cells)


def _locked_part(found: Notebook) -> list[Any]:
    return [
        (cell.get("id"), cell.cell_type, cell.source, dict(cell.metadata["nbgrader"]))
        for cell in found.cells
        if _is_locked(cell)
    ]


def _untouched_part(found: Notebook, slug: str) -> set[str]:
    """Return the texts that no learner has changed, which must be those of the
    course as it is now.
    """
    return {
        cell.source
        for cell in found.cells
        if not _is_locked(cell) and cell.source.strip() and not _is_work(cell, slug)
    }


def page_in_step(found: Notebook, fresh: Notebook) -> bool:
    """Return whether a lesson or a solution, run or not, is the one that would be built now."""
    if len(found.cells) != len(fresh.cells):
        return False
    return all(_same_cell(*pair) for pair in zip(found.cells, fresh.cells, strict=True))


def _same_cell(found: Cell, fresh: Cell) -> bool:
    same = all(found.get(key) == fresh[key] for key in ("id", "cell_type", "source"))
    return same and fresh.metadata.items() <= found.metadata.items()
