"""What every lesson must hold: its length, its front matter, its questions and its end."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from unblocked.authoring.gates._cells import cell_problems, link_problems
from unblocked.authoring.gates._text import words
from unblocked.authoring.notebooks import lesson_notebook
from unblocked.course import split_front_matter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unblocked.authoring.notebooks import Cell
    from unblocked.course import Course, Lesson

WORDS = range(600, 1201)
MOST_CELLS = 39
QUESTIONS = 3
FIRST_LESSON = "00"
"""It shows the way, so it may be as short as it likes."""


def lesson_problems(course: Course, lesson: Lesson, root: Path) -> list[str]:
    """What this lesson lacks; empty when it keeps its contract. `root` is where links lead from."""
    made = lesson_notebook(course, lesson)
    _, body = split_front_matter(lesson.path.read_text(encoding="utf-8"))
    return [
        *_length(lesson, body, len(made.cells)),
        *_front(lesson),
        *link_problems(made.cells, root / "notebooks", course),
        *cell_problems(made.cells),
        *_asks(made.cells),
        *_closes(body),
    ]


def _length(lesson: Lesson, body: str, cells: int) -> Iterator[str]:
    length = len(words(body))
    least = WORDS.start if lesson.number != FIRST_LESSON else 0
    if not least <= length < WORDS.stop:
        yield f"{length} words of prose; {least} to {WORDS.stop - 1} are wanted"
    if cells > MOST_CELLS:
        yield f"{cells} cells; at most {MOST_CELLS} are wanted"


def _front(lesson: Lesson) -> Iterator[str]:
    if not 0 < lesson.minutes <= 90:
        yield "front matter: minutes are between 1 and 90"
    if not lesson.objectives:
        yield "front matter: objectives are missing"
    if lesson.title == lesson.name:
        yield "front matter: the title is missing"


def _asks(cells: list[Cell]) -> Iterator[str]:
    calls = [call for cell in cells if cell.cell_type == "code" for call in _calls(cell.source)]
    if "predict" not in [name for name, _ in calls]:
        yield "there is nothing to predict"
    questions = [count for name, count in calls if name == "quiz"]
    if questions != [QUESTIONS]:
        yield f"one quiz of {QUESTIONS} questions is wanted, found {questions or 'none'}"


def _calls(source: str) -> Iterator[tuple[str, int]]:
    """Names that are called in a cell, each with its number of positional arguments."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, len(node.args)


def _closes(body: str) -> Iterator[str]:
    if not re.search(r"^## Summary\b", body, re.MULTILINE):
        yield "there is no `## Summary`"
