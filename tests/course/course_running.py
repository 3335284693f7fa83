"""Runs a notebook of the course in one kernel, and asks what it left behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import nbformat
from nbclient import NotebookClient

if TYPE_CHECKING:
    from pathlib import Path

SECONDS_PER_CELL = 150
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
        | {f"process {child.pid} {child.name()}" for child in me.children(True) if _runs(child)}
        | {f"port {connection.laddr.port}" for connection in listening}
        | {f"task {task.get_name()} {_where(task)}" for task in _tasks()}
    )

def _runs(child):
    # Python keeps a process that tracks shared memory, from the first spawned process on.
    try:
        return not any("resource_tracker" in word for word in child.cmdline())
    except _psutil.Error:
        return False

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
# The second time it is not what a comparison finds that is asked for, but that it runs again.
SHORT_COMPARISONS = """
import functools as _functools, unblocked as _unblocked
_compare = _unblocked.compare

@_functools.wraps(_compare)
async def _compare_shortly(*variants, **load):
    return await _compare(*variants, **load | {"seconds": 0.3, "rounds": 1})

_unblocked.compare = _compare_shortly
"""
# What a wrong answer leaves behind goes with the kernel, and is not asked for.
BEFORE_A_WRONG_ANSWER = "_seen = _what_is_there()"
AFTER_A_WRONG_ANSWER = "_before |= _what_is_there() - _seen"

AFTER = """
_until = _time.monotonic() + 10
while (_left := {name for name in _what_is_there() - _before if _is_ours(name)}):
    if _time.monotonic() > _until:
        raise AssertionError(f"left behind: {sorted(_left)}")
    await _asyncio.sleep(0.02)
"""


def code_cell(source: str, *tags: str) -> Any:
    """A code cell of a test's own."""
    cell = nbformat.v4.new_code_cell(source)  # type: ignore[no-untyped-call]
    cell.metadata["tags"] = list(tags)
    return cell


def before_the_second_run(cells: list[Any]) -> list[Any]:
    """What makes the comparisons of these cells shorter, if there are any."""
    compares = any("compare(" in cell.source for cell in cells)
    return [code_cell(SHORT_COMPARISONS)] if compares else []


def watched(cells: list[Any], last: str = "") -> list[Any]:
    """These cells, then `last`, between two looks at what is there."""
    return [code_cell(BEFORE), *cells, code_cell(last + AFTER)]


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
