"""One virtual clock for all of Python's: it goes as usual until it is frozen, then by hand.

trio's `MockClock` is the model. A deadline is judged by moving the clock, so that nobody waits for
seconds and no busy machine decides. It holds for `time.monotonic`, `time.perf_counter`, `time.time`
with their `_ns` twins, and for the event loop, which reads `time.monotonic`. Real waits of threads,
and `datetime.now`, which C code reads from the system, go on as they are.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_CLOCKS = ("monotonic", "perf_counter", "time")


class VirtualClock:
    """Replaces Python's clocks when it is made, which is before any code of the answer is there."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._frozen_since: float | None = None
        self._real = time.monotonic
        for name in _CLOCKS:
            self._replace(name)

    def _replace(self, name: str) -> None:
        real: Callable[[], float] = getattr(time, name)

        def shown() -> float:
            return real() + self._offset()

        setattr(time, name, shown)
        setattr(time, f"{name}_ns", lambda: int(shown() * 1e9))

    def _offset(self) -> float:
        """Seconds between the real clocks and the shown ones."""
        still = 0.0 if self._frozen_since is None else self._real() - self._frozen_since
        return self._ahead - still

    def freeze(self) -> None:
        """Stop all clocks, and let the running loop sleep until something but a timer wakes it."""
        if self._frozen_since is None:
            self._frozen_since = self._real()
            self._let_sleep(asyncio.get_running_loop())

    def go_on(self) -> None:
        """Let all clocks go again, from what they show."""
        self._ahead, self._frozen_since = self._offset(), None

    def forward(self, seconds: float) -> None:
        """Put all clocks forward."""
        self._ahead += seconds

    def _let_sleep(self, loop: Any) -> None:
        """Let asyncio's loop wait for events alone while frozen: no timer comes by itself."""
        selector = getattr(loop, "_selector", None)
        if selector is None or "select" in vars(selector):
            return  # another kind of loop wakes up for its timers in vain
        select = selector.select

        def waiting(timeout: float | None = None) -> Any:
            frozen = self._frozen_since is not None
            return select(None if frozen and timeout else timeout)

        selector.select = waiting
