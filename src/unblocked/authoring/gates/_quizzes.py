"""What a quiz must hold, and what all quizzes together must: no right answer shows by its looks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from unblocked._order import shuffled
from unblocked.authoring.gates._text import called, is_code
from unblocked.authoring.notebooks import questions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unblocked.authoring.notebooks import Cell

    Question = dict[str, Any]

QUESTIONS = 3
_MOST_IN_ONE_POSITION = 0.6
_ENOUGH_TO_TELL = 12
"""With fewer questions in the course chance alone puts most right options at one position."""


def quiz_problems(cells: list[Cell], *, required: bool = True) -> Iterator[str]:
    """Yield what a page's quiz lacks; unless it is `required`, a page may have none."""
    counts = [
        n for cell in cells if is_code(cell) for name, n in called(cell.source) if name == "quiz"
    ]
    if required and counts != [QUESTIONS]:
        yield f"one quiz of {QUESTIONS} questions is wanted, found {counts or 'none'}"
    for question in _all_questions(cells):
        yield from _question_problems(question)


def questions_of(cells: list[Cell]) -> list[Question]:
    """Return all whole questions that these cells ask."""
    return [question for question in _all_questions(cells) if _is_whole(question)]


def _all_questions(cells: list[Cell]) -> list[Question]:
    return [question for cell in cells for question in questions(cell)]


def _is_whole(question: Question) -> bool:
    return {"ask", "options", "right"} <= question.keys()


def _question_problems(question: Question) -> Iterator[str]:
    if not _is_whole(question):
        yield f"a question has `ask`, `options` and `right`; found {list(question) or 'none'}"
        return
    ask, options, right = question["ask"], question["options"], question["right"]
    if right not in options:
        yield f"{ask!r}: {right!r} is none of its options"
    elif len(right) > max((len(option) for option in options if option != right), default=0):
        yield f"{ask!r}: the right option is the longest"


def questions_problems(asked: list[Question]) -> Iterator[str]:
    """Yield what is wrong with the questions of all pages together."""
    times = Counter(" ".join(question["ask"].lower().split()) for question in asked)
    for ask, count in times.items():
        if count > 1:
            yield f"{ask!r} is asked {count} times"
    yield from _spread_problems(asked)


def _spread_problems(asked: list[Question]) -> Iterator[str]:
    positions = Counter(map(_position, asked))
    position, most = max(positions.items(), key=lambda item: item[1], default=(0, 0))
    if len(asked) >= _ENOUGH_TO_TELL and most > _MOST_IN_ONE_POSITION * len(asked):
        yield f"{most} of {len(asked)} right options stand at position {position + 1}"


def _position(question: Question) -> int:
    order = shuffled(question["ask"], question["options"])
    return order.index(question["right"]) if question["right"] in order else -1
