"""A criterion that is given up, at whichever await, leaves nothing open: second looks often are."""

from __future__ import annotations

import asyncio
import gc
import os
import types
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from conftest import RIGHT

from unblocked.grading.checks import Exam, Facts
from unblocked.grading.judge.mark import exercise
from unblocked.grading.sandbox.pool import Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

    from unblocked.course import Room

TURNS = 8
"""Of the loop, in which what was closed goes."""


@types.coroutine
def _cancelled_at(suspension: int, work: Awaitable[Any]) -> Generator[Any, Any, None]:
    """Do this work in a task that is cancelled where the work is suspended for the n-th time."""
    steps = work.__await__()
    step = partial(next, steps)
    for number in count(1):
        try:
            waited_for = step()
        except StopIteration:
            return
        if number == suspension:
            task = asyncio.current_task()
            assert task
            task.cancel()
        try:
            yield waited_for
        except BaseException as error:
            step = partial(steps.throw, error)
        else:
            step = partial(next, steps)


def _open() -> dict[str, str]:
    """What this process has open, by the number of its descriptor."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")
        except OSError:  # the listing's own
            continue
    return found


async def _left_when_cancelled(suspension: int, work: Awaitable[Any]) -> tuple[bool, set[str]]:
    """Whether the work came to its end before, and what it left open."""
    before = _open()
    task = asyncio.create_task(_cancelled_at(suspension, work))
    await asyncio.wait([task])
    for _ in range(TURNS):
        await asyncio.sleep(0)
    ended = not task.cancelled()
    if ended:
        task.result()
    return ended, {what for number, what in _open().items() if before.get(number) != what}


@pytest.mark.parametrize("number", range(3))
def test_a_criterion_that_is_given_up_leaves_nothing_open(relay: Room, number: int) -> None:
    scenario = exercise(relay).scenarios[number]

    async def main() -> None:
        async with Sandbox() as sandbox:
            for suspension in count(1):
                work = scenario.play(Exam(sandbox, RIGHT), Facts())
                ended, left = await _left_when_cancelled(suspension, work)
                assert not left, f"cancelled at suspension {suspension}"
                if ended:
                    return

    asyncio.run(main())
    gc.collect()  # what is unclosed says so, and that fails the test
