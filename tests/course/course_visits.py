"""Visits a page of the course twice in one kernel: as it is, then with all answers to its tasks."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from course_running import (
    AFTER,
    AFTER_A_WRONG_ANSWER,
    BEFORE,
    BEFORE_A_WRONG_ANSWER,
    before_the_second_run,
    code_cell,
    run,
)

from unblocked.authoring.notebooks import task_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unblocked.course import Deeper, Lesson, Task

UNTRIED, WRONG, RIGHT = "○", "✗", "✓"
Key = tuple[str, str, str]
"""An answer, the sign that its judge ought to give, and the tag of the task."""


@dataclass(frozen=True)
class Visit:
    """What a page showed: its text, what judges said, and what was left behind, or ''."""

    shown: str
    said: dict[Key, str]
    left: str


def visit(made: Any, page: Lesson | Deeper, folder: Path) -> Visit:
    """Run the page as it is, then with every answer to every task."""
    answers = {task.tag: task for task in page.tasks}
    cells = [cell for cell in made.cells if cell.cell_type == "code"]
    second = [again(cell, "again") for cell in cells]
    last = code_cell(AFTER, "raises-exception")
    second = [*before_the_second_run(cells), *with_answers(second, answers)]
    made.cells = [code_cell(BEFORE), *cells, *second, last]
    done = run(made, folder)
    said = {wanted_of(cell): sign_of(cell) for cell in done.cells if wanted_of(cell)}
    left = [output.evalue for output in done.cells[-1].outputs if output.output_type == "error"]
    return Visit(everything_shown(done.cells[1 : 1 + len(cells)]), said, "".join(left))


def with_answers(code: list[Any], answers: dict[str, Task]) -> Iterator[Any]:
    """The code cells; each judge once after the untouched cell, and after each of the answers."""
    for cell, above in zip(code, [None, *code[:-1]], strict=True):
        tag = None if above is None else task_of(above)
        if tag is None:
            yield cell
            continue
        yield judge(cell, "untouched", UNTRIED, tag)
        for path in answers[tag].wrong:
            yield code_cell(BEFORE_A_WRONG_ANSWER)
            # A wrong answer may already fail when it is defined.
            yield code_cell(path.read_text("utf-8"), "raises-exception")
            yield judge(cell, path.name, WRONG, tag)
            yield code_cell(AFTER_A_WRONG_ANSWER)
        yield code_cell(answers[tag].right.read_text("utf-8"))
        yield judge(cell, answers[tag].right.name, RIGHT, tag)


def judge(cell: Any, answer: str, sign: str, tag: str) -> Any:
    made = again(cell, answer.replace(".", "-"))
    made.metadata["wanted"] = [answer, sign, tag]
    return made


def again(cell: Any, word: str) -> Any:
    """The cell once more, under another id."""
    made = copy.deepcopy(cell)
    made["id"] = f"{cell['id']}-{word}"[-64:].lstrip("-")
    return made


def wanted_of(cell: Any) -> Key | None:
    wanted = cell.metadata.get("wanted")
    return tuple(wanted) if wanted else None


def sign_of(cell: Any) -> str:
    """The verdict's first sign; all that was printed where there is none."""
    text = "".join(output.get("text", "") for output in cell.outputs)
    signs = [line[0] for line in text.splitlines() if line[:1] in (UNTRIED, WRONG, RIGHT)]
    return signs[-1] if signs else text or "nothing"


def everything_shown(cells: list[Any]) -> str:
    """The text of these cells and of all they printed."""
    texts = [cell.source for cell in cells]
    for output in [output for cell in cells for output in cell.outputs]:
        data = output.get("data", {})
        texts += [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
    return "\n".join(texts)
