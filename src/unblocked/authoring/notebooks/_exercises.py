"""Makes the learner's notebook of an exercise, and the same one solved."""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unblocked.authoring.notebooks import _cells, _nbgrader, _pages
from unblocked.course import split_front_matter

if TYPE_CHECKING:
    from pathlib import Path

    from unblocked.authoring.notebooks._cells import Cell, Notebook
    from unblocked.course import Course, Room

ANSWER_ABOVE = re.compile(r"^<!-- answer above -->[ \t]*$", re.MULTILINE)
HINTS = re.compile(r"^## Hints[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Statement:
    """The three parts of exercise.md: before the answer cell, after it, and the hints."""

    asks: str
    tries: str
    hints: str


def split_statement(text: str) -> Statement:
    """Return the parts of exercise.md."""
    _, body = split_front_matter(text)
    hints = HINTS.search(body)
    cut = hints.start() if hints else len(body)
    asks, *tries = ANSWER_ABOVE.split(body[:cut], maxsplit=1)
    return Statement(asks, "".join(tries), body[cut:])


def marker(slug: str) -> str:
    """Return the first line of an answer cell."""
    return f"# exercise: {slug}"


def answer_source(slug: str, path: Path) -> str:
    """Return the code of an answer cell, which begins with the marker line."""
    text = path.read_text(encoding="utf-8").strip("\n")
    return text if text.startswith(marker(slug)) else f"{marker(slug)}\n{text}"


def exercise_notebook(course: Course, room: Room) -> Notebook:
    """Return the notebook that a learner opens, with the starter as its answer."""
    return _notebook(course, room, answer_source(room.slug, room.starter), [])


def solution_notebook(course: Course, room: Room) -> Notebook:
    """Return the exercise solved, with the other right answers below it to compare with."""
    return _notebook(course, room, answer_source(room.slug, room.solution), _others(room))


def _notebook(course: Course, room: Room, answer: str, extra: list[Cell]) -> Notebook:
    statement = split_statement(room.statement.read_text(encoding="utf-8"))
    cells = [
        *_before(course, room, statement),
        _nbgrader.answer(_cells.code(answer, room.slug), room.slug),
        *_tries(room, statement),
        _check(room),
        *_after(course, room, statement, extra),
    ]
    return _cells.notebook(cells, f"course/exercises/{room.slug}/")


def _before(course: Course, room: Room, statement: Statement) -> list[Cell]:
    asks = _cells.read_myst(_pages.without_title(statement.asks))
    _cells.name_cells(asks, room.slug, "statement")
    header = _cells.markdown(_pages.exercise_header(course, room), f"{room.slug}-header")
    return [_nbgrader.locked(cell) for cell in (header, *asks)]


def _tries(room: Room, statement: Statement) -> list[Cell]:
    """Return the cells to try an app in, each with a digest of its text, which shows a learner's
    change.
    """
    cells = _cells.read_myst(statement.tries)
    _cells.name_cells(cells, room.slug, "try")
    for cell in cells:
        if cell.cell_type == "code":
            cell.metadata["unblocked"] = {"built": digest(cell.source)}
        else:
            _nbgrader.locked(cell)
    return cells


def digest(source: str) -> str:
    """Return a short digest of a cell's text."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def _check(room: Room) -> Cell:
    lines = ["from unblocked import check", "", f'result = await check("{room.slug}")']
    cell = _cells.code("\n".join([*lines, "result.points"]), f"{room.slug}-check")
    return _nbgrader.check(cell, room.slug, room.points)


def _after(course: Course, room: Room, statement: Statement, extra: list[Cell]) -> list[Cell]:
    hints = _cells.read_myst(statement.hints)
    _cells.name_cells(hints, room.slug, "hints")
    footer = _cells.markdown(_pages.exercise_footer(course, room), f"{room.slug}-footer")
    return [_nbgrader.locked(cell) for cell in (*hints, *extra, footer)]


def _others(room: Room) -> list[Cell]:
    if not room.right:
        return []
    shown = "\n\n".join(_fold_answer(path) for path in room.right)
    text = f"## Other answers that get full marks\n\n{shown}"
    return [_cells.markdown(text, f"{room.slug}-others")]


def _fold_answer(path: Path) -> str:
    source = path.read_text(encoding="utf-8").strip("\n")
    about = path.stem.replace("_", " ").replace("-", " ")
    docstring = ast.get_docstring(ast.parse(source))
    about = docstring.splitlines()[0] if docstring else about
    return f"<details><summary>{about}</summary>\n\n```python\n{source}\n```\n\n</details>"
