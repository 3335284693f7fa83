"""Variants in turn under the same load, in this process, with the load outside it."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from unblocked.rig import Meter, descriptors_left, load, serve
from unblocked.show.compare._comparison import Comparison
from unblocked.show.compare._picture import Curve
from unblocked.show.compare._rounds import Rounds, milliseconds
from unblocked.show.compare.livechart import Row, Series

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

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
ROUNDS = 3
_MB = 1e6
_EVERY = 0.1
_SPARE_DESCRIPTORS = 64
_NOTHING: tuple[None, ...] = (None,) * len(SERIES)


@dataclass(frozen=True, slots=True)
class Plan:
    """The load that every variant gets."""

    users: int
    seconds: float
    """Of load for each variant, in all its rounds together."""
    fan_out: int | None
    delay: float | None
    path: str
    rounds: int = ROUNDS

    @property
    def query(self) -> str:
        """The path that is asked for, with the fan-out when there is one to ask for."""
        if self.fan_out is None:
            return self.path
        joint = "&" if "?" in self.path else "?"
        return f"{self.path}{joint}{urlencode({'fan_out': self.fan_out})}"

    @property
    def round_seconds(self) -> float:
        """Seconds of load in one round."""
        return self.seconds / self.rounds

    def __str__(self) -> str:
        parts = ["1 user" if self.users == 1 else f"{self.users} users"]
        if self.fan_out is not None:
            parts.append(f"fan-out {self.fan_out}")
        if self.delay is not None:
            parts.append(f"upstream {self.delay * 1000:.0f} ms")
        rounds = "1 round" if self.rounds == 1 else f"{self.rounds} rounds"
        return ", ".join([*parts, f"{rounds} of {self.round_seconds:.2g} s each"])


class Watcher:
    """Hears how a comparison goes on. This one shows nothing."""

    def begin(self, plan: Plan) -> None:
        """Hear that a comparison starts."""

    def warming(self, variant: str, turn: int) -> None:
        """Hear that a variant is served and warmed up for its round number `turn`, from 1."""

    def counting(self, variant: str, turn: int) -> None:
        """Hear that the variant is warm, and that what it does counts from now on."""

    def measured(self, variant: str, row: Row) -> None:
        """Hear a row in the order of `SERIES`; called from a thread, ten times a second."""

    def ended(self, variant: str, turn: int) -> None:
        """Hear that the round is over."""


@dataclass
class Bench:
    """What is compared, and with which upstream."""

    variants: Mapping[str, Any]
    upstream: Upstream | None
    serve_options: dict[str, Any] = field(default_factory=dict)

    async def run(self, plan: Plan, watcher: Watcher, stop: asyncio.Event) -> Comparison:
        """Measure all variants under `plan`, until all rounds are over or `stop` is set.

        The variants take turns, A B C A B C, so that a disturbance of the machine hits them alike.
        In each round a variant is served anew and warmed up: every user is answered once before
        anything counts, so that late imports and the opening of connections do not.
        """
        plan, notes = self._within_limits(plan)
        if self.upstream is not None and plan.delay is not None:
            self.upstream.delay = plan.delay
        found = {variant: Measured(variant) for variant in self.variants}
        watcher.begin(plan)

        for turn in range(1, plan.rounds + 1):
            for variant, app in self.variants.items():
                if not stop.is_set():
                    await self._round(found[variant], app, plan, turn, watcher, stop)
                    watcher.ended(variant, turn)

        begun = [one for one in found.values() if one.begun]
        notes += [note for one in begun for note in one.remarks()]
        if stop.is_set():
            notes.append("Stopped early: what is shown is what was measured until then.")
        return Comparison(
            str(plan),
            [one.numbers() for one in begun],
            notes,
            [one.curve() for one in begun],
            "requests in flight" if self.upstream is None else "upstream calls in flight",
        )

    def _within_limits(self, plan: Plan) -> tuple[Plan, list[str]]:
        """Return the plan with no more users than this system allows open sockets for, and a note
        on it.
        """
        each = 1 + (plan.fan_out or 5)
        most = max(1, (descriptors_left() - _SPARE_DESCRIPTORS) // each)
        if plan.users <= most:
            return plan, []
        note = f"{plan.users} users need more open sockets than this system allows; {most} it is."
        return replace(plan, users=most), [note]

    async def _round(
        self,
        found: Measured,
        app: Any,
        plan: Plan,
        turn: int,
        watcher: Watcher,
        stop: asyncio.Event,
    ) -> None:
        watcher.warming(found.variant, turn)
        # Else memory that the last variant freed would be used by this one without being counted.
        give_memory_back()
        server = serve(app, name=found.variant, **self.serve_options)
        sampler = Sampler(found, server, self.upstream, watcher)
        url = server.url + plan.query

        try:
            if self.upstream is not None:
                self.upstream.reset()
            await _unless(stop, load(url, users=plan.users, requests=plan.users), sampler.start)
            if not stop.is_set():
                watcher.counting(found.variant, turn)
                counted = load(
                    url, users=plan.users, duration=plan.round_seconds, on_progress=sampler.take
                )
                found.add(await _unless(stop, counted, sampler.count))
        finally:
            sampler.stop()
            # During the warm-up, or when stopped, calls may wait that no thread can be cancelled
            # out of.
            self._stop(server, hurry=stop.is_set() or not sampler.counting)

        found.meters.append(sampler.meter)

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


@dataclass
class Measured:
    """What was seen of one variant, in all its rounds."""

    variant: str
    rounds: list[LoadResult] = field(default_factory=list)
    """The rounds that came to their end."""
    partial: LoadResult | None = None
    """What the load had counted so far in the round that runs."""
    meters: list[Meter] = field(default_factory=list)
    counted: list[Row] = field(default_factory=list)
    last_live: float = 0.0
    """Seconds on the live view's axis at which the last row was shown."""

    @property
    def begun(self) -> bool:
        """Whether there is something to tell of it."""
        return bool(self.meters)

    def add(self, result: LoadResult | None) -> None:
        """Keep a round; None is one that was stopped."""
        if result is not None:
            self.rounds.append(result)
            self.partial = None

    @property
    def latest(self) -> LoadResult | None:
        """What the load says now; between two rounds, what it said of the last."""
        return self.partial or (self.rounds[-1] if self.rounds else None)

    def curve(self) -> Curve:
        """Return what was sampled while it counted."""
        columns = list(zip(*self.counted, strict=True)) or [()] * 3
        seconds = [value or 0.0 for value in columns[0]]
        return Curve(self.variant, seconds, columns[1], columns[2], self.counted)

    def numbers(self) -> Numbers:
        """Return medians over the rounds, and the largest threads, memory and sockets
        of any round.
        """
        most = max(self.meters, key=lambda meter: meter.added.threads)
        told = self._figures()
        return {
            "variant": self.variant,
            "threads_before": most.first.threads,
            "threads_peak": most.peak.threads,
            "threads_added": most.added.threads,
            "memory_added_mb": round(max(meter.added.rss for meter in self.meters) / _MB, 1),
            "sockets_peak": max(meter.peak.sockets for meter in self.meters),
            "answers": sum(result.answers for result in told.results),
            "answers_per_second": round(told.per_second, 1),
            "answers_lowest": round(min(told.rates), 1),
            "answers_highest": round(max(told.rates), 1),
            "p50_ms": told.p50_ms,
            "p99_ms": told.p99_ms,
            "errors": told.errors.total(),
            "rounds": len(self.rounds),
            "limited": told.limited,
        }

    def remarks(self) -> list[str]:
        """Return what a reader of the numbers should mind."""
        told = self._figures()
        if not told.results:
            return [f"{self.variant}: nothing was answered before the end."]
        remarks = []
        if told.limited:
            remarks.append(
                f"{self.variant}: the load generator itself was the limit, so the app may be "
                "faster than its number of answers a second says."
            )
        kinds = ", ".join(f"{count:,} of {kind}" for kind, count in sorted(told.errors.items()))
        return [*remarks, f"{self.variant}: errors: {kinds}."] if kinds else remarks

    def _figures(self) -> Rounds:
        """Return the rounds that came to their end; without one, what the first had counted."""
        return Rounds(self.rounds or ([self.partial] if self.partial is not None else []))


class Sampler:
    """Reads the meter, the upstream and the load of one round ten times a second, from a thread.

    `start` begins with the warm-up; what comes after `count` is kept.
    """

    def __init__(
        self, found: Measured, server: Server, upstream: Upstream | None, watcher: Watcher
    ) -> None:
        self.meter = Meter(server=server)
        self.counting = False
        self._found, self._upstream, self._watcher = found, upstream, watcher
        self._kept = 0
        self._zero, self._counted_zero = 0.0, 0.0
        self._begun, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._sample, name="compare", daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        found = self._found
        self._zero = time.perf_counter() - found.last_live
        if found.counted:  # A gap in the lines, between two rounds.
            self._watcher.measured(found.variant, (found.last_live, *_NOTHING))
            found.counted.append((found.counted[-1][0], *_NOTHING))
        self._thread.start()  # Before the meter, which then counts this thread as there already.
        self.meter.start()
        self._begun.set()

    def count(self) -> None:
        """Keep what is sampled from now on."""
        self.counting = True

    def stop(self) -> None:
        """End. Stopping one that was never started is fine."""
        self._over.set()
        self._begun.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.meter.stop()

    def take(self, partial: LoadResult) -> None:
        """Take what the load has counted so far."""
        self._found.partial = partial

    def _sample(self) -> None:
        self._begun.wait()
        while not self._over.wait(_EVERY):
            self._note()
        if self.counting:
            self._note()  # With the figures of the whole round.

    def _note(self) -> None:
        row = self._row()
        self._found.last_live = row[0] or 0.0
        self._watcher.measured(self._found.variant, row)
        if self.counting and (self._kept or self._is_under_load() or self._over.is_set()):
            self._keep(row)

    def _keep(self, row: Row) -> None:
        """Time counts from the first call: the process that makes the load is slow to start."""
        counted, now = self._found.counted, row[0] or 0.0
        if not self._kept:
            self._counted_zero = now - ((counted[-1][0] or 0.0) if counted else 0.0)
        self._kept += 1
        counted.append((round(now - self._counted_zero, 2), *row[1:]))

    def _is_under_load(self) -> bool:
        return self._found.partial is not None or self.meter.latest.in_flight > 0

    def _row(self) -> Row:
        first, now, load_now = self.meter.first, self.meter.latest, self._found.latest
        return (
            round(time.perf_counter() - self._zero, 2),
            now.threads - first.threads,
            now.in_flight if self._upstream is None else self._upstream.counts.in_flight,
            round(load_now.per_second, 1) if load_now else None,
            milliseconds(load_now.p50) if load_now else None,
            milliseconds(load_now.p99) if load_now else None,
            round((now.rss - first.rss) / _MB, 1),
        )


async def _unless(
    stop: asyncio.Event, loading: Coroutine[Any, Any, LoadResult], begin: Callable[[], None]
) -> LoadResult | None:
    """Return the result of a load; None when `stop` was set before."""
    running = asyncio.ensure_future(loading)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.sleep(0)  # The load's own thread is there now, before the meter starts.
        begin()
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return running.result() if running.done() else None
    finally:
        running.cancel()
        stopping.cancel()
        await asyncio.gather(running, stopping, return_exceptions=True)
