"""One variant after the other under the same load, in this process, with the load outside it."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import math
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

from unblocked.rig import Meter, descriptors_left, load, serve
from unblocked.show.compare._comparison import Comparison
from unblocked.show.compare._picture import Curve
from unblocked.show.compare.livechart import Row, Series

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unblocked.rig import LoadResult, Server, Upstream
    from unblocked.show.compare._table import Numbers

_COUNTS, _LATENCY = "Threads added and calls in flight", "Latency, ms"
SERIES = (
    Series("threads added", plot=_COUNTS),
    Series("in flight", plot=_COUNTS),
    Series("answers", "/s"),
    Series("p50", "ms", plot=_LATENCY),
    Series("p99", "ms", plot=_LATENCY),
    Series("memory added", "MB"),
)
"""What a live row holds after its time, in order."""
_MB = 1e6
_EVERY = 0.1
_SPARE_DESCRIPTORS = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """The load that every variant gets."""

    users: int
    seconds: float
    fan_out: int | None
    delay: float | None
    path: str

    @property
    def query(self) -> str:
        """The path that is asked for, with the fan-out when there is one to ask for."""
        if self.fan_out is None:
            return self.path
        joint = "&" if "?" in self.path else "?"
        return f"{self.path}{joint}{urlencode({'fan_out': self.fan_out})}"

    def __str__(self) -> str:
        parts = [f"{self.users} users"]
        if self.fan_out is not None:
            parts.append(f"fan-out {self.fan_out}")
        if self.delay is not None:
            parts.append(f"upstream {self.delay * 1000:.0f} ms")
        return ", ".join([*parts, f"{self.seconds:g} s each"])


class Watcher(Protocol):
    """Is told how a comparison goes on."""

    def begin(self, plan: Plan) -> None:
        """A comparison starts."""

    def started(self, variant: str) -> None:
        """A variant is served and gets its load now."""

    def measured(self, variant: str, row: Row) -> None:
        """A row in the order of `SERIES`; comes from a thread, ten times a second."""

    def ended(self, variant: str, numbers: Numbers) -> None:
        """A variant is done."""


@dataclass
class Bench:
    """What is compared, and with which upstream."""

    variants: Mapping[str, Any]
    upstream: Upstream | None
    serve_options: dict[str, Any] = field(default_factory=dict)

    async def run(self, plan: Plan, watcher: Watcher, stop: asyncio.Event) -> Comparison:
        """Measure each variant under `plan`, until all are done or `stop` is set."""
        plan, note = self._within_limits(plan)
        if self.upstream is not None and plan.delay is not None:
            self.upstream.delay = plan.delay
        counted = "requests in flight" if self.upstream is None else "upstream calls in flight"
        result = Comparison(str(plan), [], note, counted=counted)
        watcher.begin(plan)
        for variant, app in self.variants.items():
            if not stop.is_set():
                watcher.started(variant)
                await self._measure(variant, app, plan, watcher, stop, result)
                watcher.ended(variant, result.rows[-1])
        if stop.is_set():
            result.notes.append("Stopped early: what is shown is what was measured until then.")
        return result

    def _within_limits(self, plan: Plan) -> tuple[Plan, list[str]]:
        """Fewer users where this system does not allow enough open sockets."""
        each = 1 + (plan.fan_out or 5)
        most = max(1, (descriptors_left() - _SPARE_DESCRIPTORS) // each)
        if plan.users <= most:
            return plan, []
        fewer = Plan(most, plan.seconds, plan.fan_out, plan.delay, plan.path)
        note = f"{plan.users} users need more open sockets than this system allows; {most} it is."
        return fewer, [note]

    async def _measure(
        self,
        variant: str,
        app: Any,
        plan: Plan,
        watcher: Watcher,
        stop: asyncio.Event,
        result: Comparison,
    ) -> None:
        give_memory_back()
        server = serve(app, name=variant, **self.serve_options)
        ended = False
        try:
            if self.upstream is not None:
                self.upstream.reset()
            sampler = Sampler(variant, server, self.upstream, watcher)
            answered = await _load(server.url + plan.query, plan, sampler, stop)
            ended = not stop.is_set()
        finally:
            self._stop(server, hurry=not ended)
        result.rows.append(_numbers(variant, sampler, answered))
        result.curves.append(sampler.curve())
        result.notes += _remarks(variant, answered)

    def _stop(self, server: Server, *, hurry: bool) -> None:
        """End an app; in a hurry its calls are answered, as no thread that waits can be stopped."""
        try:
            if hurry and self.upstream is not None:
                with self.upstream.hurried():
                    server.stop()
        finally:
            server.stop()  # Stopping twice is fine.


def give_memory_back() -> None:
    """Return freed memory to the system, so that one variant does not live on another's."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


class Sampler:
    """Reads the meter, the upstream and the load ten times a second, from a thread."""

    def __init__(
        self, variant: str, server: Server, upstream: Upstream | None, watcher: Watcher
    ) -> None:
        self.partial: LoadResult | None = None
        self.rows: list[Row] = []
        self.meter = Meter(server=server)
        self._variant, self._server, self._upstream = variant, server, upstream
        self._watcher = watcher
        self._begun, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._sample, name="compare", daemon=True)

    def __enter__(self) -> Sampler:
        self._zero = time.perf_counter()
        self._thread.start()  # Before the meter, which then counts this thread as there already.
        self.meter.start()
        self._begun.set()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._begun.set()
        self._thread.join()
        self.meter.stop()

    def take(self, partial: LoadResult) -> None:
        """What the load has counted so far."""
        self.partial = partial

    def curve(self) -> Curve:
        """What was sampled, for the picture."""
        columns = list(zip(*self.rows, strict=True)) or [()] * 3
        seconds = [value or 0.0 for value in columns[0]]
        return Curve(self._variant, seconds, columns[1], columns[2])

    def _sample(self) -> None:
        self._begun.wait()
        while not (self._over.wait(_EVERY) or self._is_under_load()):
            pass
        self._zero = time.perf_counter()
        while not self._over.wait(_EVERY):
            self._note()
        if not self.rows:  # A short run on a busy machine still has something to show.
            self._note()

    def _note(self) -> None:
        row = self._row()
        self.rows.append(row)
        self._watcher.measured(self._variant, row)

    def _is_under_load(self) -> bool:
        """The process that makes the load takes a moment to start; time counts from its calls."""
        return self.partial is not None or self.meter.latest.in_flight > 0

    def _row(self) -> Row:
        first, now, load_now = self.meter.first, self.meter.latest, self.partial
        return (
            round(time.perf_counter() - self._zero, 2),
            now.threads - first.threads,
            now.in_flight if self._upstream is None else self._upstream.counts.in_flight,
            round(load_now.per_second, 1) if load_now else None,
            _ms(load_now.p50) if load_now else None,
            _ms(load_now.p99) if load_now else None,
            round((now.rss - first.rss) / _MB, 1),
        )


async def _load(url: str, plan: Plan, sampler: Sampler, stop: asyncio.Event) -> LoadResult | None:
    """The whole result, or what there was when `stop` was set."""
    loading = asyncio.ensure_future(
        load(url, users=plan.users, duration=plan.seconds, on_progress=sampler.take)
    )
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.sleep(0)  # The load's own thread is there now, before the meter starts.
        with sampler:
            await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return loading.result() if loading.done() else sampler.partial
    finally:
        loading.cancel()
        stopping.cancel()
        await asyncio.gather(loading, stopping, return_exceptions=True)


def _numbers(variant: str, sampler: Sampler, result: LoadResult | None) -> Numbers:
    first, peak, added = sampler.meter.first, sampler.meter.peak, sampler.meter.added
    return {
        "variant": variant,
        "threads_before": first.threads,
        "threads_peak": peak.threads,
        "threads_added": added.threads,
        "memory_added_mb": round(added.rss / _MB, 1),
        "sockets_peak": peak.sockets,
        "answers": result.answers if result else 0,
        "answers_per_second": round(result.per_second, 1) if result else 0.0,
        "p50_ms": _ms(result.p50) if result else None,
        "p99_ms": _ms(result.p99) if result else None,
        "errors": sum(result.errors.values()) if result else 0,
        "limited": result.limited if result else False,
    }


def _ms(seconds: float) -> float | None:
    return None if math.isnan(seconds) else round(seconds * 1000, 1)


def _remarks(variant: str, result: LoadResult | None) -> list[str]:
    if result is None:
        return [f"{variant}: nothing was answered before the end."]
    remarks = []
    if result.limited:
        remarks.append(
            f"{variant}: the load generator itself was the limit, so the app may be faster than "
            "its number of answers a second says."
        )
    kinds = ", ".join(f"{count:,} of {kind}" for kind, count in sorted(result.errors.items()))
    return [*remarks, f"{variant}: errors: {kinds}."] if kinds else remarks
