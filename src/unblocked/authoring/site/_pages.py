"""The body of each page: lessons executed, exercises as their learners get them."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbconvert import HTMLExporter

from unblocked.authoring.notebooks import (
    DEEPER,
    GLOSSARY,
    INVITATION_TO_RUN,
    deeper_notebook,
    exercise_notebook,
    glossary_notebook,
    lesson_notebook,
    markdown,
    name_of,
    notebook,
    questions,
    quiz_as_html,
)
from unblocked.authoring.readme import readme
from unblocked.course import CourseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unblocked.authoring.notebooks import Notebook
    from unblocked.course import Course

_SECONDS_PER_CELL = 120
_IMAGE_OUTSIDE = re.compile(r'<img\b(?=[^>]*\bsrc="https?:)(?:[^>]*\balt="([^"]*)")?[^>]*>')
_SCROLLS = re.compile(r"<(pre|table)\b(?![^>]*\btabindex=)")
"""What may be wider than the page: it must be reached by the keyboard to be scrolled."""
_WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True, slots=True)
class SitePage:
    """One page: where it lies (without suffix) under the site and in the repository alike."""

    place: str
    title: str
    body: str

    @property
    def url(self) -> str:
        return f"{self.place}.html"

    @property
    def up(self) -> str:
        return "../" * self.place.count("/")


def all_pages(course: Course, root: Path) -> Iterator[SitePage]:
    """Yield every page of the site, each lesson executed when it is its turn."""
    start = notebook([markdown(readme(course, root), "readme")], "README.md")
    yield SitePage("index", "Unblocked", _body(start))
    for lesson in course.lessons:
        print(f"running {lesson.name}", flush=True)
        to_run = lesson_notebook(course, lesson, for_jupyterlab=False)
        made = _execute(to_run, root / "notebooks", lesson.name)
        yield SitePage(f"notebooks/{lesson.name}", name_of(lesson), _body(made))

    for deeper in course.deeper:
        print(f"running {deeper.name}", flush=True)
        made = _execute(deeper_notebook(course, deeper), root / "notebooks" / DEEPER, deeper.name)
        yield SitePage(f"notebooks/{DEEPER}/{deeper.name}", deeper.title, _body(made))

    if (course.folder / f"{GLOSSARY}.md").is_file():
        yield SitePage(f"notebooks/{GLOSSARY}", "Glossary", _body(glossary_notebook(course)))
    for room in course.rooms:
        made = exercise_notebook(course, room)
        yield SitePage(f"exercises/{room.slug}", f"Exercise: {room.title}", _body(made))


def _execute(notebook: Notebook, folder: Path, name: str) -> Notebook:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    folder.mkdir(parents=True, exist_ok=True)
    where = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=_SECONDS_PER_CELL, resources=where)
    try:
        asyncio.run(client.async_execute())
    except CellExecutionError as error:
        raise CourseError(f"{name} fails: {error.ename}: {error.evalue}") from error
    return _with_open_quizzes(_without_widgets(notebook))


def _with_open_quizzes(notebook: Notebook) -> Notebook:
    """Show each quiz with its replies folded away: nobody can run it here, and its source gives the
    answers away.
    """
    for place, cell in enumerate(notebook.cells):
        if asked := questions(cell):
            notebook.cells[place] = markdown(quiz_as_html(asked), cell["id"])
        elif cell.cell_type == "markdown":
            cell.source = INVITATION_TO_RUN.sub("Choose before you look.", cell.source)
    return notebook


def _without_widgets(notebook: Notebook) -> Notebook:
    """Remove widgets, which need a kernel; what stands beside them for readers
    without one stays.
    """
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(_WIDGET, None)
    return notebook


def _exporter() -> HTMLExporter:
    return HTMLExporter(template_name="basic")  # type: ignore[no-untyped-call]


def _body(notebook: Notebook) -> str:
    body, _ = _exporter().from_notebook_node(notebook)
    body = _SCROLLS.sub(r'<\1 tabindex="0"', str(body))
    return _IMAGE_OUTSIDE.sub(lambda found: found[1] or "", body)
