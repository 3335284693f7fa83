"""When a wait is given up: when nothing moves any more, never because of the time alone.

That is when the answer is quiescent, or has been asleep for a while where that cannot be seen.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

TICK = 0.05
"""Seconds for which a wait looks for something to happen before it counts that nothing did."""
QUIET_TICKS = 60
"""Ticks without an event, and with the answer asleep, after which a wait is given up."""
QUIESCENT_TICKS = 3
"""The same where the answer cannot wake up by itself in the time that patience has left."""
LATE = 0.02
"""Seconds late for a tick: the marker had too much to do for it to count as a quiescent one."""
MOST_TICKS = 1200
"""Ticks after which a wait is given up whatever happens."""
ALLOWANCE = 300.0
"""Seconds that an answer may keep the marker busy in all, quiet waits apart: far more than a right
one needs on a busy machine."""


class Allowance:
    """How many seconds one answer may keep the marker busy, all its runs together."""

    def __init__(self) -> None:
        self.left = ALLOWANCE

    @contextlib.contextmanager
    def charged(self) -> Iterator[None]:
        """Count the seconds that the block takes."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.left -= time.monotonic() - begun

    def gone(self, since: float) -> bool:
        """Return whether nothing of it is left, counting the time since then, too."""
        return self.left - (time.monotonic() - since) <= 0


@dataclass(frozen=True)
class Tick:
    """How one tick went."""

    moved: bool
    """Whether something happened in it."""
    late: float
    """Seconds that it came late."""


class Watched(Protocol):
    """What a wait looks at: the answer's process, seen from outside."""

    expected_silence: float
    """Seconds of quiet that the exercise itself asks for: patience comes on top of them."""

    def asleep(self) -> bool:
        """Return whether no thread of the answer wants the CPU."""

    def quiescent_for(self) -> float:
        """Return for how many seconds nothing will move but by an upstream or a new caller."""


class Patience:
    """Counts quiet ticks of one wait."""

    def __init__(self, app: Watched, allowance: Allowance) -> None:
        self.app, self.allowance = app, allowance
        self.most_quiet = QUIET_TICKS + app.expected_silence / TICK
        self.most_quiescent = QUIESCENT_TICKS + app.expected_silence / TICK
        self.begun = time.monotonic()
        self.quiet = self.quiescent = self.ticks = 0

    def count(self, tick: Tick) -> None:
        """Count a tick; one at which the answer wants the CPU is no quiet one, and no event."""
        self.ticks += 1
        if tick.moved:
            self.quiet = self.quiescent = 0
            return
        self.quiet += self.app.asleep()
        left = (self.most_quiet - self.quiet) * TICK
        in_vain = self.app.quiescent_for() >= left and tick.late < LATE
        self.quiescent = self.quiescent + 1 if in_vain else 0

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

    def end(self) -> None:
        """Charge the wait to the answer's allowance, unless it was only quiet."""
        if self.quiet < self.most_quiet and not self.in_vain:
            self.allowance.left -= time.monotonic() - self.begun
