"""Each task inside a lesson: untouched it is not tried, wrong answers are told so, right ones pass.

A lesson runs once, in one kernel, with all of that in it, and goes on with the right answers. What
wrong answers leave behind goes with the kernel, and is not asked for.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from course_running import code_cell, run

from unblocked.authoring.notebooks import DEEPER, deeper_notebook, lesson_notebook, task_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unblocked.course import Course, Deeper, Lesson, Task

UNTRIED, WRONG, RIGHT = "○", "✗", "✓"


@pytest.fixture(autouse=True)
def marks_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The marks of whoever runs the tests stay as they are."""
    monkeypatch.setenv("UNBLOCKED_HOME", str(tmp_path / "marks"))


def test_tasks_of_a_lesson(course: Course, lesson: Lesson, root: Path) -> None:
    assert_judged(lesson_notebook(course, lesson), lesson, root / "notebooks")


def test_tasks_of_a_deeper_page(course: Course, deeper: Deeper, root: Path) -> None:
    if not deeper.tasks:
        pytest.skip("it has none")
    assert_judged(deeper_notebook(course, deeper), deeper, root / "notebooks" / DEEPER)


def assert_judged(made: Any, page: Lesson | Deeper, folder: Path) -> None:
    """Run the page with every answer to every task, and compare what each judge said."""
    answers = {task.tag: task for task in page.tasks}
    made.cells = list(with_answers(made.cells, answers))
    done = run(made, folder)
    said = {wanted_of(cell): sign_of(cell) for cell in done.cells if wanted_of(cell)}
    assert said == {key: key[1] for key in said}
    tried = {tag for _, _, tag in said}
    assert tried == set(answers)


def with_answers(cells: list[Any], answers: dict[str, Task]) -> Iterator[Any]:
    """The code cells; each judge once after the untouched cell, and after each of the answers."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    for cell, above in zip(code, [None, *code[:-1]], strict=True):
        tag = None if above is None else task_of(above)
        if tag is None:
            yield cell
            continue
        yield judge(cell, "untouched", UNTRIED, tag)
        for path in answers[tag].wrong:
            # A wrong answer may already fail when it is defined.
            yield code_cell(path.read_text("utf-8"), "raises-exception")
            yield judge(cell, path.name, WRONG, tag)
        yield code_cell(answers[tag].right.read_text("utf-8"))
        yield judge(cell, answers[tag].right.name, RIGHT, tag)


def judge(cell: Any, answer: str, sign: str, tag: str) -> Any:
    again = copy.deepcopy(cell)
    again["id"] = f"{cell['id']}-{answer}".replace(".", "-")[-64:].lstrip("-")
    again.metadata["wanted"] = [answer, sign, tag]
    return again


def wanted_of(cell: Any) -> tuple[str, str, str] | None:
    wanted = cell.metadata.get("wanted")
    return tuple(wanted) if wanted else None


def sign_of(cell: Any) -> str:
    """The verdict's first sign; all that was printed where there is none."""
    text = "".join(output.get("text", "") for output in cell.outputs)
    signs = [line[0] for line in text.splitlines() if line[:1] in (UNTRIED, WRONG, RIGHT)]
    return signs[-1] if signs else text or "nothing"
