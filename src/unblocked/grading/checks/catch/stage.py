"""One test in front of one app: what both wait for, and the one clock that both have.

Whenever nothing moves any more, in the tests' process, in the app's and in between, one thing is
done: the clock is put forward to the next timer that is near, or who waits for quiet is told that
it is there, or who waits for calls is told that they will not come. So no machine is too slow, a
test that sleeps sees what a slow app has not done yet, and no long timeout decides anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING, Any

from unblocked.grading.checks.catch.relay import Relay, closed, end
from unblocked.grading.checks.catch.script import MOST_CALLS, Script, ScriptError
from unblocked.grading.checks.upstream import turns_of_an_accept
from unblocked.grading.sandbox import quiescence
from unblocked.grading.sandbox.child import channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from unblocked.grading.checks.app import App

HORIZON = 2.0
"""Seconds ahead up to which the clock is put forward: beyond are timeouts, and they never end."""
MOST_SECONDS = 60.0
"""Seconds that the clock is put forward for one test; one that polls on is ended."""
QUIET = 2.0
"""Seconds for which nothing moves by itself, from which on there is quiet."""
LOOKS = 4
LOOKS_UNSEEN = 12
"""Looks for quiet, where the system does not tell in which call a thread stands."""
LOOKS_TO_SETTLE = 2
LOOKS_TO_ACCUSE = 20
"""Further looks until a test hears that it is quiet, or that what it waits for never comes."""
LOOKS_AT_A_SLEEPER = 50
"""Looks at processes that have been told something: one that sleeps on does not hear it."""
SHORTLY = 0.002
PATIENCE = 20.0
"""Seconds without quiet and without an event, after which a test is too busy to go on."""
MOST_OF_A_TEST = 90.0
"""Seconds after which a test is ended whatever it does."""


class Stuck(Exception):
    """A test did not come to its end; the text says why."""


class _Waiter:
    """Somebody in a test who waits: for `n` calls, or for quiet when that is None."""

    def __init__(self, n: int | None = None) -> None:
        self.n = n
        self.done: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def answer(self, error: str = "") -> None:
        if not self.done.done():
            self.done.set_result(error)


class Stage:
    """A test and an app, both in processes of their own. Use as `async with`."""

    def __init__(self, tests: App, app: App) -> None:
        self.tests, self.app = tests, app
        self.script = Script(self._look)
        self.relay = Relay(tests.process, app)
        self.stopped = False
        self._key = secrets.token_hex(8)
        self._waiters: list[_Waiter] = []
        self._lines: set[asyncio.Task[None]] = set()
        self._forwarded = 0.0

    async def __aenter__(self) -> Stage:
        async with contextlib.AsyncExitStack() as stack:
            await self.script.begin(self.app)
            self.app.bind(URL=self.script.url)
            await self.app.start()
            await self.app.freeze()
            await stack.enter_async_context(self.relay)
            sock = self.tests.process.blank_socket()
            sock.bind(("127.0.0.1", 0))
            self._port = sock.getsockname()[1]
            server = await asyncio.start_server(self._come, sock=sock, backlog=100)
            stack.push_async_callback(closed, server, self._lines)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    # --- the test's line -------------------------------------------------------------------------

    def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._lines.add(task)
        task.add_done_callback(self._lines.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(channel.ChannelClosed, OSError):
                while hmac.compare_digest(*self._keys(message := await channel.read(reader))):
                    writer.write(channel.encode(await self._reply(message)))
        finally:
            end(writer)

    def _keys(self, message: dict[str, Any]) -> tuple[bytes, bytes]:
        return str(message.pop("key", "")).encode(), self._key.encode()

    async def _reply(self, message: dict[str, Any]) -> dict[str, Any]:
        what = message.pop("do", None)
        known: dict[str, Callable[..., Any]] = {
            "hold": self.script.hold,
            "release": self.script.release,
            "fail": self.script.fail,
            "lose": self.script.lose,
            "size": self.script.resize,
            "state": self.script.state,
        }
        waits: dict[str, Callable[..., Any]] = {
            "held": self._held,
            "settled": self._settled,
            "stop_app": self._stop_app,
        }
        try:
            if what in waits:
                return {"error": await waits[what](**message)}
            return {"value": known[str(what)](**message)}
        except (ScriptError, KeyError, TypeError) as error:
            return {"error": str(error) or "no such thing can be asked of an upstream"}

    async def _held(self, n: int) -> str:
        if type(n) is not int or not 0 < n <= MOST_CALLS:
            return f"held(n) waits for 1 to {MOST_CALLS} calls, not for {n!r}"[:200]
        return await self._wait(_Waiter(n))

    async def _settled(self) -> str:
        return await self._wait(_Waiter())

    async def _stop_app(self) -> str:
        if self.stopped:
            return "the app has been stopped before"
        stopping = self.app.begin_to_stop()
        self.stopped = True
        quiet = _Waiter()
        stopping.add_done_callback(lambda _: None if stopping.cancelled() else self._forget(quiet))
        self._waiters.append(quiet)
        both: list[asyncio.Future[Any]] = [stopping, quiet.done]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            return "the app does not stop: it waits for a caller, or for something of its own"
        stopping.exception()
        return await self._settled()

    def _forget(self, waiter: _Waiter) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)

    async def _wait(self, waiter: _Waiter) -> str:
        self._waiters.append(waiter)
        self._look()
        return await waiter.done

    def _look(self) -> None:
        """Answer those who wait for calls that are there."""
        for waiter in list(self._waiters):
            if waiter.n is not None and self.script.held >= waiter.n:
                self._answer(waiter)

    def _answer(self, waiter: _Waiter, error: str = "") -> None:
        self._waiters.remove(waiter)
        waiter.answer(error)

    # --- the test --------------------------------------------------------------------------------

    async def play(self, name: str) -> str:
        """Run a test; return "" when it passes, else what it raised.

        Raises:
            Stuck: it did not come to its end; its process can be used no more.
            Gone: its process has ended.
        """
        args = {"name": name, "url": self.relay.url, "port": self._port, "key": self._key}
        test = self.tests.process.order("test", **args)
        try:
            await self._until_done(test)
        finally:
            if test.done() and not test.cancelled():
                test.exception()
        return str(test.result()["value"])

    async def _until_done(self, test: asyncio.Future[Any]) -> None:
        begun = moved = time.monotonic()
        seen = self._seen()
        while not test.done():
            await asyncio.wait({test}, timeout=SHORTLY)
            self._look()
            if not test.done() and await self._is_still(test):
                await self._go_on(test)
                moved = time.monotonic()
            elif seen != self._seen():
                moved = time.monotonic()
            elif time.monotonic() - moved > PATIENCE:
                raise Stuck("it keeps its event loop busy, or blocks it, and nothing else moves")
            seen = self._seen()
            if time.monotonic() - begun > MOST_OF_A_TEST:
                raise Stuck("it does not come to its end")

    def _seen(self) -> tuple[int, ...]:
        return *self.script.moves(), self.relay.moves, len(self._waiters)

    async def _is_still(self, test: asyncio.Future[Any]) -> bool:
        """Whether nothing moves in either process or between them, twice in a row."""
        looks = LOOKS if quiescence.is_known() else LOOKS_UNSEEN
        seen, still = self._seen(), 0
        for _ in range(looks):
            still = still + 1 if self._rest() else 0
            if test.done() or seen != self._seen():
                return False
            if still >= looks - 2:
                return True
            await (turns_of_an_accept() if still else asyncio.sleep(SHORTLY))
        return False

    async def _stays_still(self, test: asyncio.Future[Any]) -> bool:
        """Whether it is still for some looks more, before anybody is told so.

        What one process has sent is on its way for a while on a machine that is very busy, and
        meanwhile all sleep. Most looks are made where the answer would accuse an app.
        """
        settles = any(waiter.n is None for waiter in self._waiters)
        seen = self._seen()
        for _ in range(LOOKS_TO_SETTLE if settles else LOOKS_TO_ACCUSE):
            await asyncio.sleep(SHORTLY)
            if not await self._is_still(test) or seen != self._seen():
                return False
        return True

    def _rest(self) -> bool:
        runs = [p for p in (self.tests.process, self.app.process) if not p.gone.is_set()]
        if quiescence.is_known():
            return min(run.quiescent_for() for run in runs) >= QUIET
        return all(run.asleep() for run in runs)

    async def _go_on(self, test: asyncio.Future[Any]) -> None:
        """Do the one thing that is next when nothing moves any more."""
        near = await self._next_timer()
        if test.done():
            return
        if near is not None and self._forwarded < MOST_SECONDS:
            await self._forward(near)
        elif not await self._stays_still(test):
            return
        elif self._waiters:
            self._tell_in_vain()
        elif near is not None:
            raise Stuck(f"it still waits after {MOST_SECONDS:.0f} s")
        else:
            raise Stuck("it waits for what never comes: nothing moves any more")

    def _tell_in_vain(self) -> None:
        for waiter in list(self._waiters):
            if waiter.n is None:
                self._answer(waiter)
        for waiter in list(self._waiters):
            saw = self.script.held
            error = f"{saw} of {waiter.n} calls in flight, and nothing moves any more"
            self._answer(waiter, error)

    def _clocks(self) -> list[App]:
        """Those whose clock stands still: an app that stops has its own time, or none."""
        has_none = self.stopped or self.app.process.gone.is_set()
        return [self.tests] if has_none else [self.tests, self.app]

    async def _next_timer(self) -> float | None:
        orders = [one.process.order("timer") for one in self._clocks()]
        due = [float(reply["value"]) for reply in await self._all(orders)]
        near = [seconds for seconds in due if 0 <= seconds <= HORIZON]
        return min(near) if near else None

    async def _forward(self, seconds: float) -> None:
        self._forwarded += max(seconds, 0.001)
        step = seconds + 1e-4  # so that rounding leaves nothing over
        await self._all([c.process.order("forward", seconds=step) for c in self._clocks()])

    async def _all(self, orders: list[asyncio.Future[Any]]) -> list[Any]:
        """What comes back from all of these orders, unless a process sleeps and does not see it."""
        asleep, begun = 0, time.monotonic()
        while not all(order.done() for order in orders):
            await asyncio.wait(orders, timeout=SHORTLY)
            asleep = asleep + 1 if self._rest() else 0
            if asleep >= LOOKS_AT_A_SLEEPER or time.monotonic() - begun > PATIENCE:
                raise Stuck("the event loop of the app, or of the test, is blocked")
        return [order.result() for order in orders]
