"""One virtual clock for all of Python's clocks: it runs as usual until it is frozen, then by hand.

trio's `MockClock` is the model. A deadline is judged by moving the clock, so that nobody waits for
seconds and no busy machine decides. It holds for `time.monotonic`, `time.perf_counter`, `time.time`
with their `_ns` twins, and for the event loop, which reads `time.monotonic`. Real waits of threads,
and `datetime.now`, which C code reads from the system, go on as they are.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

A_LOOK = 1e-9
"""Seconds by which a frozen clock goes on at each look: Python's own `multiprocessing` waits until
some time *has passed*, and would look at one that stands still for ever."""
_CLOCKS = ("monotonic", "perf_counter", "time")


class VirtualClock:
    """Replaces Python's clocks when it is made, which is before any code of the answer is there."""

    def __init__(self) -> None:
        self._real: dict[str, Callable[[], float]] = {n: getattr(time, n) for n in _CLOCKS}
        self._frozen: dict[str, float] = {}
        """What each clock shows while all stand still."""
        self._ahead = 0.0
        self._looks = itertools.count(1)
        for name in _CLOCKS:
            self._replace(name)

    def _replace(self, name: str) -> None:
        real = self._real[name]

        def shown() -> float:
            if not self._frozen:
                return real() + self._ahead
            return self._frozen[name] + self._ahead + next(self._looks) * A_LOOK

        setattr(time, name, shown)
        setattr(time, f"{name}_ns", lambda: int(shown() * 1e9))

    def freeze(self) -> None:
        """Stop all clocks, and let the running loop sleep until something but a timer wakes it."""
        if not self._frozen:
            self._frozen = {name: real() for name, real in self._real.items()}
            self._let_sleep(asyncio.get_running_loop())

    def go_on(self) -> None:
        """Let all clocks go again, from what they show."""
        if self._frozen:
            self._ahead -= self._real["monotonic"]() - self._frozen["monotonic"]
            self._frozen = {}

    def forward(self, seconds: float) -> None:
        """Put all clocks forward."""
        self._ahead += seconds

    def next_timer(self) -> float | None:
        """Return seconds until the running loop's next timer, by this clock; None when it has none.

        asyncio's own loops tell; any other is taken for one without timers.
        """
        loop = asyncio.get_running_loop()
        timers = getattr(loop, "_scheduled", ())
        due = [timer.when() for timer in timers if not timer.cancelled()]
        return max(0.0, min(due) - loop.time()) if due else None

    def _let_sleep(self, loop: Any) -> None:
        """Let asyncio's loop wait for events alone while frozen: no timer comes by itself."""
        selector = getattr(loop, "_selector", None)
        if selector is None or "select" in vars(selector):
            return  # another kind of loop wakes up for its timers in vain
        select = selector.select

        def waiting(timeout: float | None = None) -> Any:
            return select(None if self._frozen and timeout else timeout)

        selector.select = waiting
