"""A lesson's text → its notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unblocked.authoring import _cells, _pages
from unblocked.course import split_front_matter

if TYPE_CHECKING:
    from unblocked.authoring._cells import Notebook
    from unblocked.authoring._pages import Course
    from unblocked.course import Lesson


def lesson_notebook(course: Course, lesson: Lesson) -> Notebook:
    _, text = split_front_matter(lesson.path.read_text(encoding="utf-8"))
    body = _pages.without_title(text)
    cells = _cells.read_myst(body)
    _cells.name_cells(cells, f"l{lesson.number}")
    header = _pages.lesson_header(course, lesson, body)
    top = _cells.markdown(header, f"l{lesson.number}-header")
    end = _cells.markdown(_pages.lesson_footer(course, lesson), f"l{lesson.number}-footer")
    return _cells.notebook([top, *cells, end], f"course/lessons/{lesson.path.name}")
