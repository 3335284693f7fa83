"""Several named upstreams of one app: what `SOURCES` of an exercise leads to."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from unblocked.grading.checks.vocabulary import LOST, STATUS_400, STATUS_500, failing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from unblocked.grading.checks.app import App
    from unblocked.grading.checks.exam import Exam
    from unblocked.grading.checks.upstream import Call, Upstream
    from unblocked.grading.checks.vocabulary import Script

PLENTY = 6000.0
"""A deadline (s) that no check lives to see, unless it moves the clock."""
GIVES_UP = (
    "a source has all of DEADLINE, and no other timeout may strike: HTTPX gives up by itself when "
    "five seconds bring nothing, but for timeout=None"
)
"""Where to look when a call was given up too early."""
ROUNDED_UP = 1.05
"""Seconds beyond a deadline after which it is over, also for those who round up."""


async def hold(call: Call) -> None:
    """A script: hold the call until the source is released, then reply with its text."""
    await call.upstream.hold(call)


async def silent(call: Call) -> None:
    """A script: never reply; it ends when the app closes the connection."""
    await asyncio.Event().wait()


async def begins(call: Call) -> None:
    """A script: send the beginning of a body, and then nothing more."""
    await call.head()
    await call.send(call.text)
    await silent(call)


def fails(how: str) -> Script:
    """Return a script that fails in one of the ways of `FAILURES`, but for `REFUSED`."""
    return lambda call: failing(call, how)


BROKEN = {"broken": fails(STATUS_500), "refusing": fails(STATUS_400), "lost": fails(LOST)}
"""Sources that fail, each in its own way; one that cannot be reached is `refused` of `asking`."""


class Sources:
    """The answer's app, started, and the sources that it asks."""

    def __init__(self, app: App, upstreams: dict[str, Upstream], deadline: float) -> None:
        self.app, self.upstreams, self.deadline = app, upstreams, deadline

    def __getitem__(self, name: str) -> Upstream:
        return self.upstreams[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.upstreams)

    def in_flight(self, *names: str) -> int:
        """Return how many calls are in flight to these sources, or to all."""
        return sum(self[name].in_flight for name in names or self)

    @property
    def calls(self) -> int:
        """Calls to all sources so far."""
        return sum(len(source.calls) for source in self.upstreams.values())

    def all_called(self, times: int = 1) -> bool:
        """Return whether every source has had so many calls."""
        return all(len(source.calls) >= times for source in self.upstreams.values())

    def release(self) -> None:
        """Let all sources go on that hold their calls."""
        for source in self.upstreams.values():
            source.released.set()

    async def almost_over(self) -> None:
        """Freeze the clocks, if they go, and move them to shortly before the deadline."""
        await self.app.freeze()
        await self.app.settle()
        await self.app.forward(0.9 * self.deadline)

    async def over(self) -> None:
        """Move the clocks from `almost_over` to beyond the deadline."""
        await self.app.forward(0.1 * self.deadline + ROUNDED_UP)


@contextlib.asynccontextmanager
async def asking(
    exam: Exam,
    scripts: Mapping[str, Script],
    deadline: float = PLENTY,
    *,
    refused: str = "",
    **bindings: Any,
) -> AsyncIterator[Sources]:
    """The app, started, with a source for each script; `refused` names one more, that is away."""
    async with exam.run() as app:
        upstreams: dict[str, Upstream] = {}
        urls: dict[str, str] = {}
        for number, (name, script) in enumerate(scripts.items()):
            upstreams[name] = await app.upstream(script, expects=f"GET /{number}")
            urls[name] = f"{upstreams[name].url}/{number}"
        if refused:
            urls[refused] = f"{app.unreachable()}/away"
        app.bind(SOURCES=urls, DEADLINE=deadline, **bindings)
        await app.start()
        yield Sources(app, upstreams, deadline)
