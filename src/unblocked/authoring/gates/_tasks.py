"""What the tasks inside a lesson must hold: a cell to write in, a judge, and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unblocked.authoring.gates._text import (
    called,
    is_code,
    is_folded,
    lines_of_code,
    syntax_problem,
)
from unblocked.authoring.notebooks import task_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from unblocked.authoring.notebooks import Cell
    from unblocked.course import Deeper, Lesson, Task

TASKS = range(2, 4)
TASKS_OF_THE_FIRST = range(1, 4)
LINES = range(1, 10)
"""Lines of code that a right answer adds to the given ones, without blank lines and comments."""


def number_problems(lesson: Lesson, cells: list[Cell], *, first: bool) -> Iterator[str]:
    """Yield whether the learner is asked to write too rarely or too often."""
    wanted = TASKS_OF_THE_FIRST if first else TASKS
    found = sum(task_of(cell) is not None for cell in cells)
    if found not in wanted:
        yield f"{found} now-you tasks; {wanted.start} to {wanted.stop - 1} are wanted"


def task_problems(page: Lesson | Deeper, cells: list[Cell]) -> Iterator[str]:
    """Yield what the tasks of a lesson or a deeper page lack."""
    code = [cell for cell in cells if is_code(cell)]
    tags = [tag for cell in code if (tag := task_of(cell)) is not None]
    for here, after in zip(code, [*code[1:], None], strict=True):
        if (tag := task_of(here)) is not None:
            yield from _cell_problems(tag, here, after)
    for tag in sorted({tag for tag in tags if tags.count(tag) > 1}):
        yield f"two tasks are called {tag!r}"
    given = {tag: cell.source for cell in code if (tag := task_of(cell)) is not None}
    yield from _answer_problems(page, given)


def _cell_problems(tag: str, cell: Cell, judge: Cell | None) -> Iterator[str]:
    if not tag:
        yield f"{cell.id}: a now-you cell has one more tag, the name of its answers' files"
    if not cell.source.lstrip().startswith("#"):
        yield f"task {tag!r}: its cell begins with a comment that says what to write"
    if judge is None or "now_you" not in dict(called(judge.source)):
        yield f"task {tag!r}: the next code cell judges it with `now_you(…)`"
    elif not is_folded(judge):
        yield f"task {tag!r}: the cell that judges it is folded"


def _answer_problems(page: Lesson | Deeper, given: dict[str, str]) -> Iterator[str]:
    """Yield what the answers to a page's tasks lack; `given` is the text of each task's cell as
    built.
    """
    tags = given.keys()
    answers = {task.tag: task for task in page.tasks}
    if not page.tasks_folder.is_dir() and not page.tasks_folder.parent.is_dir():
        return  # a copy for learners has no answers
    for tag in sorted(tags - {""} - answers.keys()):
        yield f"task {tag!r} has no right answer: {page.tasks_folder.name}/{tag}.py is missing"
    for tag in sorted(tags & answers.keys()):
        yield from _right_and_wrong(answers[tag], given[tag])
    for path in sorted(page.tasks_folder.glob("*")):
        if path.is_file() and not _belongs(path, tags):
            yield f"tasks/{page.tasks_folder.name}/{path.name} belongs to no task of this lesson"


def _right_and_wrong(task: Task, given: str) -> Iterator[str]:
    if (lines := _lines_to_write(task, given)) not in LINES:
        wanted = f"{LINES.start} to {LINES.stop - 1}"
        yield f"task {task.tag!r}: its right answer adds {lines} lines of code; {wanted} are wanted"
    if not task.wrong:
        yield f"task {task.tag!r} has no wrong answer ({task.tag}.wrong_NAME.py)"
    for path in (task.right, *task.wrong):
        if problem := syntax_problem(path.read_text(encoding="utf-8")):
            yield f"task {task.tag!r}: {path.name}: {problem}"


def _lines_to_write(task: Task, given: str) -> int:
    known = {line.strip() for line in given.splitlines()}
    written = task.right.read_text(encoding="utf-8").splitlines()
    return lines_of_code("\n".join(line for line in written if line.strip() not in known))


def _belongs(path: Path, tags: Collection[str]) -> bool:
    tag, _, kind = path.stem.partition(".")
    return path.suffix == ".py" and tag in tags and (not kind or kind.startswith("wrong_"))
