"""Every lesson, deeper page and solution runs, twice in a kernel, and leaves nothing behind.

When a page with tasks runs for the second time, all answers to them are in it; see `visits`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from course_running import before_the_second_run, run, watched

from unblocked.authoring import gates
from unblocked.authoring.notebooks import TRIED, short_notebook, solution_notebook

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Visits

    from unblocked.course import Course, Deeper, Lesson, Room, Step

STOP = """
for _thing in list(globals().values()):
    if type(_thing).__module__.startswith("unblocked.rig") and hasattr(_thing, "stop"):
        _thing.stop()
"""


def twice(notebook: Any, last: str = "") -> Any:
    """The notebook's code two times over, then `last`, between two looks at what is there."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    again = copy.deepcopy(cells)
    for cell in again:
        cell["id"] = f"again-{cell['id']}"[:64]
    notebook.cells = watched([*cells, *before_the_second_run(cells), *again], last)
    return notebook


def test_lesson_runs_twice_and_leaves_nothing(visits: Visits, lesson: Lesson) -> None:
    leaves_nothing_and_traces_its_numbers(visits, lesson)


def test_deeper_page_runs_twice_and_leaves_nothing(visits: Visits, deeper: Deeper) -> None:
    leaves_nothing_and_traces_its_numbers(visits, deeper)


def leaves_nothing_and_traces_its_numbers(visits: Visits, page: Lesson | Deeper) -> None:
    assert visits(page).left == ""
    cells = visits.notebook(page).cells
    header, *rest = [cell.source for cell in cells if cell.cell_type == "markdown"]
    rest[-1] = rest[-1].partition(TRIED)[0]  # what follows are the build's own numbers
    said = [header.partition("minutes**")[2], *rest]
    assert gates.untraced_numbers(said, visits(page).shown) == []


def test_lesson_in_short_runs_twice_and_leaves_nothing(
    course: Course, step: Step, root: Path
) -> None:
    run(twice(short_notebook(course, step)), root / "notebooks")


def test_solution_gets_full_marks_twice(course: Course, room: Room, root: Path) -> None:
    """The upstream of an exercise stays for the learner's next try, until it is stopped."""
    notebook = run(twice(solution_notebook(course, room), last=STOP), root / "solutions")
    checks = [cell for cell in notebook.cells if cell["id"].endswith(f"{room.slug}-check")]
    marks = [output.data["text/plain"] for cell in checks for output in results(cell)]
    assert marks == [str(room.points)] * 2
    assert [output for cell in checks for output in cell.outputs if is_stderr(output)] == []


def results(cell: Any) -> list[Any]:
    return [output for output in cell.outputs if output.output_type == "execute_result"]


def is_stderr(output: Any) -> bool:
    return bool(output.get("name") == "stderr")
