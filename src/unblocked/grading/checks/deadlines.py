"""Judging by a deadline of an exercise, which a busy machine must not make an answer miss."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from unblocked.grading.checks.exam import LOOP_TURNS, App, Failed
from unblocked.grading.sandbox import processes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

DEADLINES = (1.0, 2.5, 2.5)
"""Deadlines (s) to be cut at, one for each attempt: a machine too busy for it gives another."""
AMPLE = 5.0
"""Times what the app's loop needs for its turns: a deadline (s) that is late enough."""
LATEST = 15.0
TOO_LATE, MOST_LATE = 0.5, 1.75
"""Of the deadline, and seconds, the less of them: who is answered so much later than it has waited
too long, or the machine was busy."""
BUSY = 0.2
"""Of the deadline, for which the answer or the marker had no core: the machine may be why."""
ROUNDED_UP = 1.05
"""Seconds after a deadline at which it has struck: aiohttp rounds up to whole ones of the clock."""
GRACE = 2.0
"""Seconds after a deadline: one that is put off by so much must not have struck."""
FURTHER = 3
"""Deadlines more, one by one: what still waits then has no timer in the app's loop."""


class _Scene(Protocol):
    @property
    def app(self) -> App: ...


S = TypeVar("S", bound=_Scene)


class Hurried(Failed):
    """What can be done at once was done too late: the app's fault, or the machine's."""


async def near_a_deadline(
    scene: Callable[[float], AbstractAsyncContextManager[S]], judge: Callable[[S], Awaitable[str]]
) -> str:
    """Judge a scene made with a deadline (s) that strikes; with a later one when it was `Hurried`.

    Raises:
        Failed: the answer is wrong, or `Hurried` at every deadline.
    """
    least, failure = 0.0, None
    for deadline in DEADLINES:
        async with scene(max(deadline, least)) as made:
            made.app.lull = max(deadline, least)
            try:
                return await judge(made)
            except Hurried as error:
                failure = error
                with contextlib.suppress(Failed):
                    least = min(LATEST, AMPLE * await _seconds_of_turns(made.app))
    assert failure
    raise failure


async def _seconds_of_turns(app: App) -> float:
    """Those of all its turns: together, they would end with the first one that brings nothing."""
    begun = time.monotonic()
    for _ in range(LOOP_TURNS):
        await app.turn(1)
    return time.monotonic() - begun


class Watch:
    """For how long a caller has been waiting since it was made, and whether the machine is why."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._begun, self._kept = time.monotonic(), self._kept_from_cores()

    def _kept_from_cores(self) -> float:
        return self._app.waited_for_cpu() + processes.waited_for_cpu(os.getpid())

    @property
    def elapsed(self) -> float:
        """Seconds that have gone by."""
        return time.monotonic() - self._begun

    def late(self, deadline: float) -> bool:
        """Whether it is long after the deadline (s): the app's fault, or the machine's."""
        return self.elapsed - deadline > min(TOO_LATE * deadline, MOST_LATE)

    def busy(self, deadline: float) -> bool:
        """Whether it may be the machine's."""
        return self._kept_from_cores() - self._kept > BUSY * deadline


async def kept_by_the_loop(
    app: App, deadline: float, watch: Watch, over: Callable[[], bool]
) -> bool | None:
    """Whether a deadline (s) that began after the watch strikes by the clock of the app's loop.

    The calls that it bounds have come, so that it has begun.
    That clock is put forward, so that it does not matter how busy the machine is. None when it does
    not tell: the answer looks at another clock, or the machine is too busy even for that. False may
    mean one that has a later deadline by this clock, too, besides the right one by another.
    """
    asked = watch.elapsed
    await app.settle()
    gone_by = watch.elapsed - asked
    if await _over_after(app, deadline + ROUNDED_UP - gone_by, over):
        return True if watch.elapsed - gone_by < GRACE - ROUNDED_UP else None
    for _ in range(FURTHER):
        if await _over_after(app, deadline, over):
            return False
    return None


async def _over_after(app: App, seconds: float, over: Callable[[], bool]) -> bool:
    await app.inside("put_forward", seconds=seconds)
    with app.by_the_way():
        await app.until(over, called="the loop's clock is put forward", expected="it is over")
    return over()
