"""What every lesson and every deeper page must hold, and what all of them together must."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from unblocked.authoring.gates._cells import cell_problems, link_problems
from unblocked.authoring.gates._glossary import glossary_problems
from unblocked.authoring.gates._language import language_problems
from unblocked.authoring.gates._quizzes import questions_of, questions_problems, quiz_problems
from unblocked.authoring.gates._tasks import number_problems, task_problems
from unblocked.authoring.gates._text import called, is_code, is_folded, lines_of_code, words
from unblocked.authoring.notebooks import (
    DEEPER,
    deeper_notebook,
    leads_to,
    lesson_notebook,
    sections_missing,
)
from unblocked.course import learning_paths, split_front_matter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unblocked.authoring.notebooks import Cell
    from unblocked.course import Course, Deeper, Lesson

WORDS = range(600, 1001)
WORDS_DEEPER = range(300, 1001)
MOST_CELLS = 14
MOST_LINES = 200
MINUTES = range(15, 36)
MINUTES_DEEPER = range(5, 36)
FIRST_LESSON = "00"
"""It shows the way, so it may be as short or as long as it likes."""


def lesson_problems(course: Course, lesson: Lesson, root: Path) -> list[str]:
    """Return what this lesson lacks; empty when it keeps its contract. `root` is where links lead
    from.
    """
    first = lesson.number == FIRST_LESSON
    cells, body = lesson_notebook(course, lesson).cells, _body(lesson)
    return [
        *([] if first else _length(body, WORDS)),
        *_code(cells),
        *_front(lesson, MINUTES),
        *_predicts(cells),
        *quiz_problems(cells),
        *number_problems(lesson, cells, first=first),
        *task_problems(lesson, cells),
        *_closes(body),
        *link_problems(cells, root / "notebooks", course),
        *cell_problems(cells),
        *language_problems(lesson.path.read_text(encoding="utf-8")),
    ]


def deeper_problems(course: Course, page: Deeper, root: Path) -> list[str]:
    """Return what this page lacks: a prediction, a quiz and tasks are welcome, and not required."""
    cells, body = deeper_notebook(course, page).cells, _body(page)
    return [
        *_length(body, WORDS_DEEPER),
        *_code(cells),
        *_front(page, MINUTES_DEEPER),
        *quiz_problems(cells, required=False),
        *task_problems(page, cells),
        *_linking(course, page),
        *link_problems(cells, root / "notebooks" / DEEPER, course),
        *cell_problems(cells),
        *language_problems(page.path.read_text(encoding="utf-8")),
    ]


def course_problems(course: Course) -> list[str]:
    """Return what only all pages together show, such as a question that is asked twice."""
    made = [lesson_notebook(course, lesson) for lesson in course.lessons]
    made += [deeper_notebook(course, page) for page in course.deeper]
    asked = [question for notebook in made for question in questions_of(notebook.cells)]
    return [*questions_problems(asked), *glossary_problems(course), *_paths(course)]


def _paths(course: Course) -> Iterator[str]:
    paths = learning_paths(course)
    for path in paths:
        if path.taken > path.minutes:
            yield f"paths.toml: {path.title!r} takes {path.taken} minutes, not {path.minutes}"
    short = {step for path in paths for step in path.steps if step.is_short}
    for step in sorted(short, key=lambda step: step.notebook):
        for heading in sections_missing(step):
            yield f"paths.toml: {step.page.title!r} has no section {heading!r} to leave out"
    for lesson in course.lessons:
        if sum(step.page == lesson for step in short) > 1:
            yield f"paths.toml: {lesson.name} is shortened in two ways"


def _body(page: Lesson | Deeper) -> str:
    return split_front_matter(page.path.read_text(encoding="utf-8"))[1]


def _length(body: str, wanted: range) -> Iterator[str]:
    length = len(words(body))
    if length not in wanted:
        yield f"{length} words of prose; {wanted.start} to {wanted.stop - 1} are wanted"


def _code(cells: list[Cell]) -> Iterator[str]:
    code = [cell for cell in cells if is_code(cell)]
    if len(code) > MOST_CELLS:
        yield f"{len(code)} code cells; at most {MOST_CELLS} are wanted"
    lines = sum(lines_of_code(cell.source) for cell in code if not is_folded(cell))
    if lines > MOST_LINES:
        yield f"{lines} lines of code; at most {MOST_LINES} are wanted (folded cells do not count)"


def _front(page: Lesson | Deeper, minutes: range) -> Iterator[str]:
    if page.minutes not in minutes:
        yield f"front matter: minutes are between {minutes.start} and {minutes.stop - 1}"
    if not page.objectives:
        yield "front matter: objectives are missing"
    if page.title == page.path.stem:
        yield "front matter: the title is missing"


def _predicts(cells: list[Cell]) -> Iterator[str]:
    if not any("predict" in dict(called(cell.source)) for cell in cells if is_code(cell)):
        yield "there is nothing to predict"


def _closes(body: str) -> Iterator[str]:
    if not re.search(r"^## Summary\b", body, re.MULTILINE):
        yield "there is no `## Summary`"


def _linking(course: Course, page: Deeper) -> Iterator[str]:
    if not any(leads_to(lesson, page) for lesson in course.lessons):
        yield f"no lesson links to {DEEPER}/{page.name}.ipynb"
