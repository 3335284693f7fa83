"""Makes the notebook of a lesson."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unblocked.authoring.notebooks import _beside, _cells, _pages
from unblocked.authoring.notebooks._tried import tried
from unblocked.course import split_front_matter

if TYPE_CHECKING:
    from unblocked.authoring.notebooks._cells import Notebook
    from unblocked.course import Course, Lesson


def lesson_notebook(course: Course, lesson: Lesson, *, for_jupyterlab: bool = True) -> Notebook:
    """Return the lesson with what the build writes around it.

    `for_jupyterlab` adds a link to the live view beside the text, which only JupyterLab can open.
    """
    _, text = split_front_matter(lesson.path.read_text(encoding="utf-8"))
    body = _pages.without_title(text)
    cells = _cells.read_myst(body)
    _cells.name_cells(cells, f"l{lesson.number}")
    live = for_jupyterlab and any(map(_beside.measures, cells))
    also = [_beside.link(lesson.name)] if live else []
    header = _pages.lesson_header(course, lesson, also)
    _cells.put_before(cells, header, f"l{lesson.number}-header")
    _cells.put_after(
        cells, _pages.lesson_footer(course, lesson, tried(course.root)), f"l{lesson.number}-footer"
    )
    return _cells.notebook(cells, f"course/lessons/{lesson.path.name}")
