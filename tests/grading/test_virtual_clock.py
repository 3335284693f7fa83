"""The clocks of an answer's Python stand still when they are told to, and are moved by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from unblocked.grading.checks import Exam

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from unblocked.grading.checks import App
    from unblocked.grading.sandbox.pool import Sandbox

ANSWER = """
import asyncio, time
from fastapi import FastAPI

app = FastAPI()
clocks = [time.monotonic, time.perf_counter, time.time]
by_ns = [time.monotonic_ns, time.perf_counter_ns, time.time_ns]


@app.get("/shown")
async def shown():
    loop = asyncio.get_running_loop().time
    return [clock() for clock in (*clocks, loop)] + [clock() / 1e9 for clock in by_ns]


@app.get("/sleep")
async def sleep():
    await asyncio.sleep(1000)
    return "awake"


@app.get("/polled")
async def polled():
    end = time.monotonic() + 1000
    while time.monotonic() < end:
        await asyncio.sleep(100)
    return "over"
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="answers need POSIX processes here")


Do = Callable[["App"], "Awaitable[None]"]
WithApp = Callable[[Do], None]


@pytest.fixture
def with_app(in_sandbox: Callable[..., None]) -> WithApp:
    def run(do: Do) -> None:
        async def main(sandbox: Sandbox) -> None:
            async with Exam(sandbox, ANSWER).serving() as (app, _):
                await do(app)
                await app.stop()
                await app.end()

        in_sandbox(main)

    return run


def test_all_clocks_stand_still_and_go_on_together(with_app: WithApp) -> None:
    async def do(app: App) -> None:
        await app.freeze()
        before = (await app.get("/shown")).json()
        assert (await app.get("/shown")).json() == pytest.approx(before, abs=1e-4, rel=0)
        await app.forward(60)
        after = (await app.get("/shown")).json()
        assert [round(b - a, 3) for a, b in zip(before, after, strict=True)] == [60] * len(before)

    with_app(do)


@pytest.mark.parametrize("path", ["/sleep", "/polled"])
def test_a_deadline_strikes_when_the_clock_is_moved_there_and_not_before(
    with_app: WithApp, path: str
) -> None:
    async def do(app: App) -> None:
        await app.freeze()
        caller = app.call(path)
        await app.settle()
        for _ in range(9):
            await app.forward(100)
        await app.forward(99)
        assert not caller.done()
        await app.forward(2)
        [reply] = await app.replies([caller])
        assert reply.json() == {"/sleep": "awake", "/polled": "over"}[path]

    with_app(do)


def test_a_wait_until_time_has_passed_ends_while_the_clock_stands_still(
    in_sandbox: Callable[..., None],
) -> None:
    polls = (
        ANSWER
        + """
import multiprocessing


@app.get("/poll")
def poll():
    end, _ = multiprocessing.Pipe()
    return end.poll(0)
"""
    )

    async def main(sandbox: Sandbox) -> None:
        async with Exam(sandbox, polls).serving() as (app, _):
            await app.freeze()
            assert (await app.get("/poll")).json() is False

    in_sandbox(main)
