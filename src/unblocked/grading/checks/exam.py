"""What a room's checks are written with: criteria, a running answer, its callers and upstreams.

A criterion is an async function that returns a sentence (what a right answer may learn next) or
raises `Failed`. It never looks at a clock.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unblocked.grading.checks.app import LOOP_TURNS, App, Failed, Reply
from unblocked.grading.checks.upstream import Call, Upstream, at_once
from unblocked.grading.checks.waiting import QUIET_TICKS, TICK, Allowance
from unblocked.grading.sandbox import processes
from unblocked.grading.sandbox.child import isolation
from unblocked.grading.sandbox.run import AnswerError, Gone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from unblocked.grading.sandbox.pool import Sandbox
    from unblocked.grading.sandbox.run import AnswerRun

MUCH_CPU = 0.5
"""Of the CPU seconds that an answer may use: one last seen beyond it was stopped by their limit.

On a busy machine Linux stops it early: its limit counts ticks, while what it tells is measured.
"""


@dataclass(frozen=True)
class Criterion:
    """One thing that is graded."""

    name: str
    points: int
    judge: Callable[[Exam], Awaitable[str]]
    fresh: bool = True
    """Whether it is judged in a process that has served nobody before."""


def criterion(
    name: str, points: int, *, fresh: bool = True
) -> Callable[[Callable[[Exam], Awaitable[str]]], Criterion]:
    """Make an async function of a room's `checks.py` a criterion.

    One that is not `fresh` is first tried in a process that other criteria have left in order. Only
    a pass counts there: what fails is judged by a process of its own. So `fresh` may be False
    where nothing that an app keeps between requests could make a wrong answer pass.
    """
    return lambda judge: Criterion(name, points, judge, fresh)


class Exam:
    """One answer, to be run as often as the criteria need."""

    def __init__(self, sandbox: Sandbox, source: str, given: str = "", inside: str = "") -> None:
        self.sandbox, self.source, self.given, self.inside = sandbox, source, given, inside
        self.out_of_memory = False
        self.starved = False
        """The machine was too busy to judge by: what failed is worth a second look."""
        self.patience = QUIET_TICKS
        """Quiet ticks after which a wait is given up."""
        self.allowance = Allowance()
        self.first_load = FirstLoad()
        self.seen: set[str] = set()
        """What a criterion has seen that another asks for: it need not be seen twice."""
        self.ruled_out: dict[str, Failed] = {}
        """What it has seen, in a fresh process, that it cannot be, and why another fails."""

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[App]:
        """A fresh process for the answer; nothing is executed before `App.load` or `start`."""
        run = self.sandbox.run(self.source, self.given, self.inside, {})
        taken = self.sandbox.slots.taken()
        async with taken as slot, run, contextlib.AsyncExitStack() as stack:
            app = App(run, stack, self, slot)
            try:
                yield app
            finally:
                self.out_of_memory |= run.killed_for_memory
                self.starved |= app.was_starved

    @contextlib.asynccontextmanager
    async def serving(
        self, script: Callable[[Call], Awaitable[None]] = at_once, **bindings: Any
    ) -> AsyncIterator[tuple[App, Upstream]]:
        """The answer's app, started, with `URL` bound to an upstream that follows `script`."""
        async with self.run() as app:
            upstream = await app.upstream(script)
            app.bind(URL=f"{upstream.url}/quote", **bindings)
            await app.start()
            yield app, upstream


@dataclass
class FirstLoad:
    """How the first run of an answer executed it: one that cannot be executed is told so once."""

    over: bool = False
    outcome: str = "graded"
    reason: str = ""

    def failed(self, process: AnswerRun, error: Exception) -> None:
        """Keep why, when it is the first."""
        if not self.over:
            self.outcome, self.reason = _why_not_executed(process, error)
        self.over = True


def _why_not_executed(process: AnswerRun, error: Exception) -> tuple[str, str]:
    if isinstance(error, AnswerError):
        memory = str(error).startswith("MemoryError")
        return ("out-of-memory" if memory else "crashed"), f"Your code raised {error}"
    if isinstance(error, TimeoutError):
        return "timeout", "Your code did not come to its end when it was executed."
    if process.killed_for_memory:
        return "out-of-memory", "Your code took more than 1 GiB of memory and was stopped."
    used = max(process.cpu_seconds, processes.cpu_seconds(process.pid))
    if used >= MUCH_CPU * isolation.STANDARD["cpu"]:
        return "timeout", "Your code computed without end when it was executed, and was stopped."
    return "crashed", "Your code ended its own process when it was executed."


__all__ = [
    "LOOP_TURNS",
    "TICK",
    "AnswerError",
    "App",
    "Call",
    "Criterion",
    "Exam",
    "Failed",
    "Gone",
    "Reply",
    "Upstream",
    "at_once",
    "criterion",
]
