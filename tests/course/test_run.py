"""Every lesson and every solution runs, twice in the same kernel, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from unblocked.authoring import gates
from unblocked.authoring.notebooks import lesson_notebook, solution_notebook

if TYPE_CHECKING:
    from pathlib import Path

    from unblocked.course import Course, Lesson, Room

SECONDS_PER_CELL = 60
"""A lesson may take a minute on two cores; this guards against a hang, on a busy machine too."""
SECONDS_IN_ALL = 280

BEFORE = """
import asyncio as _asyncio, threading as _threading, time as _time
import psutil as _psutil

def _what_is_there():
    me = _psutil.Process()
    listening = [c for c in me.net_connections("inet") if c.status == _psutil.CONN_LISTEN]
    return (
        {f"thread {t.name} {type(t).__module__}" for t in _threading.enumerate()}
        | {f"process {child.pid} {child.name()}" for child in me.children(recursive=True)}
        | {f"port {connection.laddr.port}" for connection in listening}
        | {f"task {task.get_name()} {_where(task)}" for task in _tasks()}
    )

def _tasks():
    return _asyncio.all_tasks() - {_asyncio.current_task()}

def _where(task):
    code = getattr(task.get_coro(), "cr_code", None)
    return code.co_filename if code else ""

def _is_ours(name):
    # The kernel has tasks of its own, pyzmq starts a thread with the first large message, and
    # the kernel's loop keeps the idle threads of its default executor.
    if name.startswith("task"):
        return not any(part in name for part in ("ipykernel/", "zmq/", "tornado/", "jupyter"))
    return not name.startswith("thread asyncio_") and " zmq." not in name

_before = _what_is_there()
"""

AFTER = """
_until = _time.monotonic() + 10
while (_left := {name for name in _what_is_there() - _before if _is_ours(name)}):
    if _time.monotonic() > _until:
        raise AssertionError(f"left behind: {sorted(_left)}")
    await _asyncio.sleep(0.02)
"""


STOP = """
for _thing in list(globals().values()):
    if type(_thing).__module__.startswith("unblocked.rig") and hasattr(_thing, "stop"):
        _thing.stop()
"""


@pytest.fixture(autouse=True)
def marks_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The marks of whoever runs the tests stay as they are."""
    monkeypatch.setenv("UNBLOCKED_HOME", str(tmp_path / "marks"))


def twice(notebook: Any, last: str = "") -> Any:
    """The notebook's code two times over, then `last`, between two looks at what is there."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    again = copy.deepcopy(cells)
    for cell in again:
        cell["id"] = f"again-{cell['id']}"[:64]
    ends = [nbformat.v4.new_code_cell(source) for source in (BEFORE, last + AFTER)]  # type: ignore[no-untyped-call]
    notebook.cells = [ends[0], *cells, *again, ends[1]]
    return notebook


def run(notebook: Any, folder: Path) -> Any:
    """Execute it; an error in a cell that is not tagged for it is raised here."""
    client = NotebookClient(
        notebook,
        timeout=SECONDS_PER_CELL,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )

    async def in_time() -> None:
        async with asyncio.timeout(SECONDS_IN_ALL):
            await client.async_execute()

    asyncio.run(in_time())
    return notebook


def test_lesson_runs_twice_and_leaves_nothing(course: Course, lesson: Lesson, root: Path) -> None:
    made = lesson_notebook(course, lesson)
    header, *rest = [cell.source for cell in made.cells if cell.cell_type == "markdown"]
    done = run(twice(made), root / "notebooks")
    rest[-1] = rest[-1].partition("**Now do it:**")[0]  # the build's own minutes and points
    said = [header.partition("minutes**")[2], *rest]
    assert gates.untraced_numbers(said, everything_shown(done)) == []


def everything_shown(notebook: Any) -> str:
    """The text of all cells and of all they printed."""
    texts = [cell.source for cell in notebook.cells]
    for output in [output for cell in notebook.cells for output in cell.outputs]:
        data = output.get("data", {})
        texts += [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
    return "\n".join(texts)


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
