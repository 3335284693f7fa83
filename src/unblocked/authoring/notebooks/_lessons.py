"""A lesson's text → its notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unblocked.authoring.notebooks import _beside, _cells, _pages
from unblocked.course import split_front_matter

if TYPE_CHECKING:
    from unblocked.authoring.notebooks._cells import Cell, Notebook
    from unblocked.course import Course, Lesson


def lesson_notebook(course: Course, lesson: Lesson, *, for_jupyterlab: bool = True) -> Notebook:
    _, text = split_front_matter(lesson.path.read_text(encoding="utf-8"))
    body = _pages.without_title(text)
    cells = _cells.read_myst(body)
    _cells.name_cells(cells, f"l{lesson.number}")
    live = for_jupyterlab and any(map(_beside.measures, cells))
    also = [_beside.link(lesson.name)] if live else []
    header = _pages.lesson_header(course, lesson, also)
    _before(cells, header, f"l{lesson.number}-header")
    _after(cells, _pages.lesson_footer(course, lesson), f"l{lesson.number}-footer")
    return _cells.notebook(cells, f"course/lessons/{lesson.path.name}")


def _before(cells: list[Cell], text: str, cell_id: str) -> None:
    """Put `text` at the top, in the cell that is there when it is one to read."""
    if cells and cells[0].cell_type == "markdown":
        cells[0].source = f"{text}\n\n{cells[0].source}"
    else:
        cells.insert(0, _cells.markdown(text, cell_id))


def _after(cells: list[Cell], text: str, cell_id: str) -> None:
    if cells and cells[-1].cell_type == "markdown":
        cells[-1].source = f"{cells[-1].source}\n\n{text}"
    else:
        cells.append(_cells.markdown(text, cell_id))
