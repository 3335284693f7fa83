"""The process that makes the load; `load` starts it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp

from unblocked._descriptors import raise_descriptor_limit
from unblocked.rig import watchdog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unblocked.rig.child import Message

_REPORT_SECONDS = 0.25
_TICK = 0.01


class Tally:
    """Counts what has happened since the last report, and how busy this process is."""

    def __init__(self) -> None:
        self.begun = self.last = time.perf_counter()
        self.first: float | None = None
        self._cpu = time.process_time()
        self._lag = self._ticks = 0.0
        self._clear()

    def _clear(self) -> None:
        self._latencies: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._errors: Counter[str] = Counter()

    def _note(self) -> None:
        self.last = time.perf_counter()
        self.first = self.first or self.last

    def answered(self, status: int, latency: float) -> None:
        """Count an answer that has been read to its end."""
        self._note()
        self._statuses[status] += 1
        if status < 400:
            self._latencies.append(round(latency, 6))
        else:
            self._errors[f"status {status}"] += 1

    def failed(self, error: BaseException) -> None:
        """Count a request that got no answer."""
        self._note()
        self._errors[type(error).__name__] += 1

    async def watch_lag(self) -> None:
        """Measure how late this process's own timers run."""
        while True:
            due = time.perf_counter() + _TICK
            await asyncio.sleep(_TICK)
            self._lag += time.perf_counter() - due
            self._ticks += 1

    def seconds(self, end: float, rate: float | None) -> float:
        """Return the seconds in which the answers came, up to `end`.

        At a fixed rate the answers come as long as the requests went, one latency later.
        """
        if rate is None:
            return end - self.begun
        return end - self.first + 1 / rate if self.first is not None else 0.0

    def report(self, rate: float | None, *, done: bool) -> Message:
        """Return what has happened since the last report."""
        now = time.perf_counter()
        news: Message = {
            "latencies": self._latencies,
            "statuses": list(self._statuses.items()),
            "errors": dict(self._errors),
            "seconds": self.seconds(self.last if done else now, rate),
            "cpu": (time.process_time() - self._cpu) / max(now - self.begun, 1e-9),
            "lag": self._lag / self._ticks if self._ticks else 0.0,
            "done": done,
        }
        self._clear()
        return news


class Generator:
    """Sends requests to one address, again and again."""

    def __init__(self, session: aiohttp.ClientSession, order: Message, tally: Tally) -> None:
        self._session = session
        self._order = order
        self._tally = tally

    async def _ask(self, intended: float) -> bool:
        """Send one request; return whether an answer came, of whatever status."""
        order = self._order
        try:
            async with self._session.request(
                order["method"], order["url"], headers=order["headers"], data=order["body"]
            ) as answer:
                async for _ in answer.content.iter_any():
                    pass
                self._tally.answered(answer.status, time.perf_counter() - intended)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            self._tally.failed(error)
            return False

        return True

    async def closed_loop(self) -> None:
        """Run users that each ask again when they have been answered."""
        wanted = self._order["requests"]
        turns = iter(range(wanted)) if wanted is not None else itertools.count()
        end = self._tally.begun + self._order["duration"] if wanted is None else float("inf")
        async with asyncio.TaskGroup() as users:
            for _ in range(self._order["users"]):
                users.create_task(self._user(turns, end))

    async def _user(self, turns: Iterator[int], end: float) -> None:
        for _ in turns:
            started = time.perf_counter()
            answered = await self._ask(started)
            if time.perf_counter() >= end:
                return
            if not answered and time.perf_counter() - started < 0.001:
                await asyncio.sleep(0.001)  # A refused connection fails without ever waiting.

    async def open_loop(self) -> None:
        """Start requests at a fixed rate, whether or not earlier ones have been answered."""
        rate, wanted = self._order["rate"], self._order["requests"]
        count = wanted if wanted is not None else round(rate * self._order["duration"])
        async with asyncio.TaskGroup() as arrivals:
            for number in range(count):
                intended = self._tally.begun + number / rate
                wait = intended - time.perf_counter()
                if wait > 0:
                    await asyncio.sleep(wait)
                arrivals.create_task(self._ask(intended))


async def _main() -> None:
    order = watchdog.first_message()
    raise_descriptor_limit()
    task = asyncio.current_task()
    assert task is not None
    watchdog.follow(asyncio.get_running_loop(), lambda _: None, task.cancel)
    # No limit of its own: what is to be measured is the app, not this pool.
    connector = aiohttp.TCPConnector(limit=0, use_dns_cache=True)
    timeout = aiohttp.ClientTimeout(total=order["timeout"])

    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    ) as session:
        await _generate(session, order)


async def _generate(session: aiohttp.ClientSession, order: Message) -> None:
    tally = Tally()
    generator = Generator(session, order, tally)
    beside: list[asyncio.Task[Any]] = [
        asyncio.create_task(tally.watch_lag()),
        asyncio.create_task(_report(tally, order["rate"])),
    ]

    try:
        await (generator.open_loop() if order["rate"] else generator.closed_loop())
    finally:
        for task in beside:
            task.cancel()

    watchdog.tell(tally.report(order["rate"], done=True))


async def _report(tally: Tally, rate: float | None) -> None:
    while True:
        await asyncio.sleep(_REPORT_SECONDS)
        watchdog.tell(tally.report(rate, done=False))


if __name__ == "__main__":
    watchdog.run(_main())
