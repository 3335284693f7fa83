"""Makes the notebook of a page of optional depth, which lies one folder below the lessons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unblocked.authoring.notebooks import _cells, _pages
from unblocked.authoring.notebooks._tried import tried
from unblocked.course import split_front_matter

if TYPE_CHECKING:
    from unblocked.authoring.notebooks._cells import Notebook
    from unblocked.course import Course, Deeper, Lesson

DEEPER = "deeper"
"""The folder of these notebooks, beside the lessons in notebooks/."""


def deeper_notebook(course: Course, page: Deeper) -> Notebook:
    """Return the page with a link back to each lesson that leads to it."""
    _, text = split_front_matter(page.path.read_text(encoding="utf-8"))
    cells = _cells.read_myst(_pages.without_title(text))
    _cells.name_cells(cells, f"deeper-{page.name}")
    links = _links(course, page)
    header = _pages.header(links, page.title, [f"**{page.minutes} minutes**"], page.objectives)
    footer = "\n\n".join(["---", tried(course.root), links])
    _cells.put_before(cells, header, f"deeper-{page.name}-header")
    _cells.put_after(cells, footer, f"deeper-{page.name}-footer")
    return _cells.notebook(cells, f"course/deeper/{page.path.name}")


def leads_to(lesson: Lesson, page: Deeper) -> bool:
    """Return whether the lesson's text links to the page."""
    return f"]({DEEPER}/{page.name}.ipynb" in lesson.path.read_text(encoding="utf-8")


def _links(course: Course, page: Deeper) -> str:
    above = [lesson for lesson in course.lessons if leads_to(lesson, page)]
    links = [f"[← {_pages.name_of(lesson)}](../{lesson.name}.ipynb)" for lesson in above]
    first = course.lessons[0].name
    return " | ".join([*links, f"[The map](../{first}.ipynb)"])
