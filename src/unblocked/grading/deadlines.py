"""Judging by a deadline of an exercise, which a busy machine must not make an answer miss."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from unblocked.grading.exam import App, Failed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

DEADLINES = (1.0, 2.5, 2.5)
"""Deadlines (s) to be cut at, one for each attempt: a machine too busy for it gives another."""
AMPLE = 5.0
"""Times what the app's loop needs for its turns: a deadline (s) that is late enough."""
LATEST = 15.0


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
    begun = time.monotonic()
    await app.turn()
    return time.monotonic() - begun
