"""When a wait is given up: when nothing moves any more, never by the clock alone.

That is when the answer is quiescent, or has been asleep for a while where that cannot be seen.
"""

from __future__ import annotations

import contextlib
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unblocked.grading.checks.app import App

TICK = 0.05
"""Seconds for which a wait looks for something to happen before it counts that nothing did."""
QUIET_TICKS = 60
"""Ticks without an event, and with the answer asleep, after which a wait is given up."""
QUIESCENT_TICKS = 3
"""The same where the answer cannot wake up by itself in the time that patience has left."""
LATE = 0.02
"""Seconds late for a tick: we had too much to do for it to count as a quiescent one."""
IDLE_TICKS = 4
"""Quiet ticks after which a waiting run lets another one work, if not before, and is in doubt."""
MOST_TICKS = 1200
"""Ticks after which a wait is given up whatever happens."""
ALLOWANCE = 300.0
"""Seconds that an answer may keep the marker busy in all, quiet waits apart: far more than a right
one needs on a busy machine."""

IDLE: ContextVar[Callable[[], None]] = ContextVar("idle")
"""What is called when a wait of the current task will probably fail: none need wait for it."""
DOUBT: ContextVar[Callable[[], None]] = ContextVar("doubt")
"""What is called when it will do so by patience alone, so that another look may see more."""


class Allowance:
    """How long one answer may keep the marker busy, all its runs together."""

    def __init__(self) -> None:
        self.left = ALLOWANCE

    @contextlib.contextmanager
    def charged(self) -> Iterator[None]:
        """Count what the block takes."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.left -= time.monotonic() - begun

    def gone(self, since: float) -> bool:
        """Whether nothing of it is left, with the time since then."""
        return self.left - (time.monotonic() - since) <= 0


def nothing() -> None:
    """Nobody wants to know."""


@dataclass(frozen=True)
class Tick:
    """How a tick went."""

    moved: bool
    """Whether something happened in it."""
    late: float
    """Seconds that it came late."""


class Patience:
    """Counts quiet ticks, and lends the run's slot to others while it only waits."""

    def __init__(self, app: App) -> None:
        self.app, self.process = app, app.process
        self.slot, self.allowance = app.slot, app.exam.allowance
        self.most_quiet = app.patience + app.lull / TICK
        self.most_quiescent = QUIESCENT_TICKS + app.lull / TICK
        self.begun = time.monotonic()
        self.quiet = self.quiescent = self.ticks = 0

    def count(self, tick: Tick) -> None:
        """Count a tick; one at which the answer wants the CPU is no quiet one, and no event."""
        self.ticks += 1
        if tick.moved:
            self.quiet = self.quiescent = 0
            return
        self.quiet += self.process.asleep()
        left = (self.most_quiet - self.quiet) * TICK
        vain = self.app.quiescent_for() >= left and tick.late < LATE
        self.quiescent = self.quiescent + 1 if vain else 0
        if self.quiescent or self.quiet >= IDLE_TICKS:
            self.slot.lend()
            IDLE.get(nothing)()
            if not self.quiescent and not self.over:
                DOUBT.get(nothing)()

    @property
    def over(self) -> bool:
        """Whether to wait no longer."""
        quiet = self.quiet >= self.most_quiet or self.in_vain
        return quiet or self.ticks >= MOST_TICKS or self.spent

    @property
    def in_vain(self) -> bool:
        """Whether nothing can happen any more, however long one waits."""
        return self.quiescent >= self.most_quiescent

    @property
    def spent(self) -> bool:
        """Whether the answer has kept the marker busy for all the time that it may."""
        return self.allowance.gone(self.begun)

    async def end(self) -> None:
        """Count what the wait took, and take the slot back."""
        if self.quiet < self.most_quiet and not self.in_vain:
            self.allowance.left -= time.monotonic() - self.begun
        await self.slot.take_back()
