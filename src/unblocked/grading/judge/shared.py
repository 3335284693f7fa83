"""One process of an answer for several criteria, as long as each leaves it in order."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from unblocked.grading.checks.exam import App, Exam, Failed
from unblocked.grading.checks.upstream import at_once
from unblocked.grading.checks.waiting import IDLE_TICKS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from types import TracebackType
    from typing import Self

    from unblocked.grading.checks.upstream import Call, Upstream


MOST_LOOKS = 10
"""For calls of those whose caller has left."""


class SharedExam(Exam):
    """An exam whose `serving` gives each criterion the same app. Use with `async with`.

    A criterion that wants to be served a second time gets a new one.
    """

    def __init__(self, exam: Exam) -> None:
        super().__init__(exam.sandbox, exam.source, exam.given, exam.inside)
        self.allowance, self.first_load = exam.allowance, exam.first_load
        self.seen, self.ruled_out = exam.seen, exam.ruled_out
        self._kept = contextlib.AsyncExitStack()
        self._served: tuple[App, Upstream] | None = None
        self._bindings: dict[str, Any] = {}
        self._offered = False
        self._tidy = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.end()

    def follow(self) -> None:
        """Another criterion comes: waits are given up early now, as what fails says nothing yet."""
        self.patience = IDLE_TICKS
        self._offered = True

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[App]:
        """A process of its own, without the shared one: two could wait for each other's slot."""
        await self.end()
        async with super().run() as app:
            yield app

    @contextlib.asynccontextmanager
    async def serving(
        self, script: Callable[[Call], Awaitable[None]] = at_once, **bindings: Any
    ) -> AsyncIterator[tuple[App, Upstream]]:
        """The app that others were served by, as if it had just been started, or a new one."""
        served = self._offer(bindings)
        if served:
            served[0].served_before = True
            await served[0].slot.pass_on()
            await self._tidy_up(*served)
            served[1].begin(script)
        else:
            await self.end()
            served = await self._kept.enter_async_context(super().serving(script, **bindings))
            self._served, self._bindings = served, bindings
        yield served

    @property
    def in_order(self) -> bool:
        """Whether there is a process that may serve another criterion."""
        return self._served is not None and self._tidy and not self._served[0].process.gone.is_set()

    @property
    def was_starved(self) -> bool:
        """Whether a process of it, ended or not, had to wait too long for a core."""
        return self.starved or (self._served is not None and self._served[0].was_starved)

    async def _tidy_up(self, app: App, upstream: Upstream) -> None:
        """Wait until nothing of the last criterion is left; raises `Failed` when something is."""
        self._tidy = False
        upstream.released.set()
        unanswered = await app.send_away()
        await _no_call(app, upstream)
        if unanswered:
            await _no_call_comes(app, upstream)
        self._tidy = True

    def _offer(self, bindings: dict[str, Any]) -> tuple[App, Upstream] | None:
        """The app that is there, once for each criterion, if it can serve."""
        offered, self._offered = self._offered, False
        if self._served is None or self._served[0].stopped or bindings != self._bindings:
            return None
        return self._served if offered else None

    async def end(self) -> None:
        """End the shared process, if there is one."""
        if self._served:
            self._served = None
            await self._kept.aclose()


async def _no_call(app: App, upstream: Upstream) -> None:
    await app.until(
        lambda: upstream.in_flight == 0,
        called="what was called before",
        expected="no call in flight",
    )


async def _no_call_comes(app: App, upstream: Upstream) -> None:
    """Wait for endpoints whose caller has left: FastAPI lets them go on, and call."""
    for _ in range(MOST_LOOKS):
        seen = len(upstream.calls)
        await app.settle()
        await _no_call(app, upstream)
        if len(upstream.calls) == seen:
            return
    raise Failed(called="what was called before", saw="more calls", expected="no call any more")
