"""Makes load on an address, from a process of its own."""

from __future__ import annotations

import asyncio
import html
import math
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from unblocked._interrupt import interruptible
from unblocked.rig import _values
from unblocked.rig.child import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from unblocked.rig.child import Message

_BUSY = 0.85
_LATE_SECONDS = 0.005


class _HasUrl(Protocol):
    """A server or an upstream."""

    @property
    def url(self) -> str: ...


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a load got. An answer is a response with a status under 400, read to its end."""

    answers: int
    errors: dict[str, int]
    """What came instead of answers, and how often: `status 500`, `TimeoutError`, ..."""
    seconds: float
    """From the first request to the last response; at a fixed rate, less the first latency."""
    statuses: dict[int, int]
    """How many responses had which status."""
    latencies: tuple[float, ...]
    """Seconds from the intended start of each request to the end of its answer, unsorted."""
    cpu: float
    """How much of one core the generator used; 1.0 is all of it."""
    lag: float
    """Seconds by which the generator's own timers were late, on average."""

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds if self.seconds > 0 else 0.0

    @property
    def p50(self) -> float:
        """Half of the answers took at most so many seconds; not-a-number without answers."""
        return _quantile(self.latencies, 0.50)

    @property
    def p99(self) -> float:
        """99 of 100 answers took at most so many seconds; not-a-number without answers."""
        return _quantile(self.latencies, 0.99)

    @property
    def limited(self) -> bool:
        """Whether the generator itself was the limit, so that the figures are not the app's.

        True when it used 85 % of a core, or when its own timers were late by more than 5 ms and
        more than a tenth of the median latency.
        """
        late = self.lag > _LATE_SECONDS and not self.lag <= self.p50 / 10
        return self.cpu >= _BUSY or late

    def __str__(self) -> str:
        parts = [f"{label}: {value}" for label, value in self._rows()]
        return "\n".join([*parts, *self._warnings()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(label)}</th>"
            f"<td style='text-align:right'>{html.escape(value)}</td></tr>"
            for label, value in self._rows()
        )
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self._warnings())
        return f"<table>{rows}</table>{notes}"

    def _rows(self) -> list[tuple[str, str]]:
        errors = ", ".join(f"{count:,} of {name}" for name, count in sorted(self.errors.items()))
        return [
            ("answers", f"{self.answers:,} in {self.seconds:.2f} s"),
            ("answers per second", f"{self.per_second:,.1f}"),
            ("latency, median", _milliseconds(self.p50)),
            ("latency, 99th percentile", _milliseconds(self.p99)),
            ("errors", errors or "none"),
        ]

    def _warnings(self) -> list[str]:
        if not self.limited:
            return []
        why = f"it used {self.cpu:.0%} of a core"
        if self.cpu < _BUSY:
            why = f"it had to wait for a core, {self.lag * 1000:.0f} ms each time"
        return [
            f"The load generator itself was the limit ({why}): the app may be faster than this."
        ]


def _quantile(values: tuple[float, ...], share: float) -> float:
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _milliseconds(seconds: float) -> str:
    return "none" if math.isnan(seconds) else f"{seconds * 1000:,.0f} ms"


@interruptible
async def load(
    url: str | _HasUrl,
    *,
    users: int = 50,
    requests: int | None = None,
    duration: float = 3.0,
    rate: float | None = None,
    timeout: float = 30.0,  # noqa: ASYNC109 - of each request, not of this call
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
    on_progress: Callable[[LoadResult], object] | None = None,
) -> LoadResult:
    """Ask `url` (or a server's or an upstream's address) under load, and count what comes back.

    Closed loop: `users` each ask again when answered, for `duration` seconds or `requests` in all.
    Open loop, with `rate`: so many requests start each second, answered or not, and a latency
    counts from the moment at which its request was meant to start. Requests in flight at the end
    are waited for; each has `timeout` seconds.

    `on_progress` gets what there is so far, four times a second, on the running loop. Cancelling
    ends the process that makes the load. Raises `ValueError` for a load that cannot be made.
    """
    _check_amounts(users, requests, duration, rate, timeout)
    _check_texts(method, headers or {}, body)
    order = {
        "url": _address(url),
        "users": users,
        "requests": requests,
        "duration": duration,
        "rate": rate,
        "timeout": timeout,
        "method": method,
        "headers": dict(headers or {}),
        "body": body,
    }
    so_far = _SoFar()

    async with _Messages(order) as messages:
        while not so_far.done:
            so_far.add(await messages.next())
            if on_progress is not None and not so_far.done:
                on_progress(so_far.result())

    return so_far.result()


def _address(url: str | _HasUrl) -> str:
    address = url if isinstance(url, str) else getattr(url, "url", url)
    if not isinstance(address, str) or not address.startswith(("http://", "https://")):
        raise ValueError(f"load needs an address that begins with http://, not {address!r}")
    return address


def _check_amounts(
    users: int, requests: int | None, duration: float, rate: float | None, timeout: float
) -> None:
    _values.whole("users", users, least=1)
    if requests is not None:
        _values.whole("requests", requests, least=1)
    if rate is not None:
        _values.positive("rate", rate)
    _values.positive("duration", duration)
    _values.positive("timeout", timeout)


def _check_texts(method: str, headers: Mapping[str, str], body: str | None) -> None:
    _values.text("method", method)
    _values.headers(headers)
    if body is not None:
        _values.text("body", body)


class _SoFar:
    """Adds up the reports of the process."""

    def __init__(self) -> None:
        self.done = False
        self._latencies: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._errors: Counter[str] = Counter()
        self._last: Message = {"seconds": 0.0, "cpu": 0.0, "lag": 0.0}

    def add(self, news: Message) -> None:
        """Add one report."""
        self._latencies += news["latencies"]
        self._statuses.update(dict(news["statuses"]))
        self._errors.update(news["errors"])
        self._last = news
        self.done = news["done"]

    def result(self) -> LoadResult:
        """Return what has been reported so far."""
        return LoadResult(
            answers=len(self._latencies),
            errors=dict(self._errors),
            seconds=self._last["seconds"],
            statuses=dict(sorted(self._statuses.items())),
            latencies=tuple(self._latencies),
            cpu=self._last["cpu"],
            lag=self._last["lag"],
        )


class _Messages:
    """The reports of the process, read by a thread, so that any event loop will do."""

    def __init__(self, order: Message) -> None:
        self._order = order
        self._queue: asyncio.Queue[Message | RuntimeError] = asyncio.Queue()

    async def __aenter__(self) -> _Messages:
        self._loop = asyncio.get_running_loop()
        self._child = Child("unblocked.rig._load_child", self._order)
        self._reader = threading.Thread(target=self._read, name="load reports", daemon=True)
        self._reader.start()
        return self

    async def __aexit__(self, *error: Any) -> None:
        # The reader waits in a read that only the end of the process finishes.
        self._child.kill()
        self._reader.join()
        self._child.close()

    async def next(self) -> Message:
        """Wait for the next report; raises `RuntimeError` when the process ended without a last
        one.
        """
        message = await self._queue.get()
        if isinstance(message, RuntimeError):
            raise message
        return message

    def _read(self) -> None:
        message: Message | RuntimeError = {"done": False}
        while isinstance(message, dict) and not message["done"]:
            try:
                message = self._child.receive()
            except RuntimeError as error:
                message = error
            with suppress(RuntimeError):  # The loop has closed: nobody waits for reports.
                self._loop.call_soon_threadsafe(self._queue.put_nowait, message)
