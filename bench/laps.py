"""One variant under one load, again and again: what `fanout` and `recommended` have in common."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from bench.report import cell, middle, significant, spread
from bench.tls import certificates
from bench.variants import AUTHORITIES, LABELS, serving, there
from unblocked.rig import Meter, Upstream, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from bench.report import Row
    from bench.variants import Variant
    from unblocked.rig import LoadResult, Sample

CALLS = 5
PATIENCE = 60.0
"""Seconds that the load waits for each answer."""


@dataclass(frozen=True, slots=True)
class Lap:
    """One variant, one number of users, one repetition."""

    name: str
    users: int
    delay: float
    cold_per_second: float
    """Answers a second of the first round, while connections are being opened."""
    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    threads: int
    """Added to what the idle app had, at the peak; so are the next two."""
    memory_mb: float
    sockets: int
    cpu_ms: float | None
    """Milliseconds of CPU of the app for each upstream call; None when it made none."""
    connections: float | None
    """New connections for each upstream call; None when it made none."""
    limited: bool
    first_round_only: bool = False
    """Whether the first round took so long that no other followed; all figures are then its."""
    step: int = 0
    """When it was measured: laps with near numbers are near in time."""


_steps = count(1)


def _plain(delay: float) -> AbstractContextManager[Any]:
    return Upstream(delay=delay)


@contextmanager
def secure(delay: float) -> Iterator[Upstream]:
    """An upstream over TLS, whose authority the variants trust. Raises ImportError: no trustme."""
    with tempfile.TemporaryDirectory(prefix="unblocked-tls-") as folder:
        os.environ[AUTHORITIES] = str(certificates(Path(folder)))
        try:
            with Upstream(delay=delay, certificate=Path(folder, "server.pem")) as upstream:
                yield upstream
        finally:
            del os.environ[AUTHORITIES]


def beside(reference: str, names: Sequence[str]) -> list[str]:
    """The names, with the reference before every two of them and at the end.

    The load on a machine changes from minute to minute. So each lap is compared with the laps of
    the reference just before and just after it.
    """
    order = [each for i in range(0, len(names), 2) for each in (reference, *names[i : i + 2])]
    return [*order, reference]


@dataclass(frozen=True)
class Course:
    """What is to be run: each variant, each number of users, so many times, one after the other."""

    names: Sequence[str]
    users: Sequence[int]
    delay: float = 0.2
    seconds: float = 1.5
    repetitions: int = 3
    patience: float = PATIENCE
    """Seconds that the load waits for each answer."""
    longest: float = PATIENCE
    """After a first round of more seconds nothing more is asked of the variant."""
    fresh: bool = False
    """Whether each number of users gets a new process, so that its first round finds no pool."""
    upstream: Callable[[float], AbstractContextManager[Any]] = _plain


def run(course: Course) -> list[Lap]:
    """All laps. The repetitions are interleaved, so that a disturbance hits all variants alike."""
    laps = []
    with course.upstream(course.delay) as upstream:
        for turn in range(course.repetitions):
            for name in there(course.names):
                _say(f"{course.delay * 1000:.0f} ms, {turn + 1}/{course.repetitions}: {name}")
                laps += _turns(name, upstream, course)
    _say("")
    return laps


def _turns(name: str, upstream: Any, course: Course) -> list[Lap]:
    if not course.fresh:
        return asyncio.run(_ride(name, upstream, course, course.users))
    return [
        lap
        for users in course.users
        for lap in asyncio.run(_ride(name, upstream, course, (users,)))
    ]


async def _ride(name: str, upstream: Any, course: Course, many: Sequence[int]) -> list[Lap]:
    os.environ["DELAY"] = str(course.delay)  # For the variant that calls nobody.
    laps: list[Lap] = []
    with serving(name, upstream.url) as variant:
        idle = await _idle(variant)
        for users in many:
            laps.append(await _lap(name, variant, upstream, users, course, idle))
            if laps[-1].first_round_only:
                break
    return laps


async def _idle(variant: Variant) -> Sample:
    await load(variant.url, users=1, requests=1)  # What is loaded late is loaded now.
    with Meter(variant.pid) as meter:
        pass
    return meter.first


async def _lap(
    name: str, variant: Variant, upstream: Any, users: int, course: Course, idle: Sample
) -> Lap:
    upstream.reset()
    with Meter(variant.pid) as meter:
        cold = await load(variant.url, users=users, requests=users, timeout=course.patience)
    told = cold
    slow = cold.seconds > course.longest
    if not slow:
        upstream.reset()
        with Meter(variant.pid) as meter:
            told = await load(
                variant.url, users=users, duration=course.seconds, timeout=course.patience
            )
    counts = upstream.counts
    errors = sum(cold.errors.values()) + (0 if slow else sum(told.errors.values()))
    return Lap(
        name=name,
        users=users,
        delay=course.delay,
        cold_per_second=cold.per_second,
        per_second=told.per_second,
        p50_ms=told.p50 * 1000,
        p99_ms=told.p99 * 1000,
        errors=errors,
        threads=max(0, meter.peak.threads - idle.threads),
        memory_mb=(meter.peak.rss - idle.rss) / 1e6,
        sockets=meter.peak.sockets - idle.sockets,
        cpu_ms=_for_each(counts.requests, 1000 * meter.latest.cpu),
        connections=_for_each(counts.requests, counts.opened),
        limited=told.limited,
        first_round_only=slow,
        step=next(_steps),
    )


def _for_each(calls: int, total: float) -> float | None:
    return total / calls if calls else None


def rows(laps: Iterable[Lap]) -> list[Row]:
    """A row for each variant, delay and number of users: medians over the repetitions."""
    groups: dict[tuple[float, int, str], list[Lap]] = {}
    for lap in laps:
        groups.setdefault((lap.delay, lap.users, lap.name), []).append(lap)
    return [_row(group) for _, group in sorted(groups.items(), key=lambda item: item[0][:2])]


def _row(laps: list[Lap]) -> Row:
    first = laps[0]
    return {
        "variant": LABELS[first.name],
        "users": first.users,
        "delay_ms": round(first.delay * 1000),
        "answers_per_second": middle([lap.per_second for lap in laps], 3),
        "spread": spread([significant(lap.per_second, 3) for lap in laps]),
        "repetitions": len(laps),
        "cold_answers_per_second": middle([lap.cold_per_second for lap in laps], 3),
        "p50_ms": _middle_of([lap.p50_ms for lap in laps], 3),
        "p99_ms": _middle_of([lap.p99_ms for lap in laps], 3),
        "errors": sum(lap.errors for lap in laps),
        "threads_added": max(lap.threads for lap in laps),
        "memory_added_mb": middle([lap.memory_mb for lap in laps], 2),
        "sockets_peak": max(lap.sockets for lap in laps),
        "cpu_ms_per_call": _middle_of([lap.cpu_ms for lap in laps], 2),
        "new_connections_per_call": _middle_of([lap.connections for lap in laps], 2),
        "load_was_the_limit": sum(lap.limited for lap in laps),
        "first_round_only": "yes" if any(lap.first_round_only for lap in laps) else "no",
    }


def _middle_of(values: list[float] | list[float | None], digits: int) -> float | None:
    """The median of those that are numbers: a latency without answers is none; None of nothing."""
    there = [value for value in values if value is not None and not math.isnan(value)]
    return middle(there, digits)


async def arrivals(name: str, rates: Sequence[float], seconds: float) -> list[Row]:
    """A variant at fixed rates of arrivals, up to the first that it does not keep up with.

    A latency counts from the intended start of its request, sent late or not.
    """
    rows: list[Row] = []
    with Upstream(delay=0.2) as upstream:
        for rate in rates:
            with serving(name, upstream.url) as variant:
                await load(variant.url, users=round(rate / 2), requests=round(rate))
                result = await load(variant.url, rate=rate, duration=seconds, timeout=PATIENCE)
            rows.append(_arrivals_row(name, rate, result))
            if rows[-1]["kept_up"] == "no":
                break
    return rows


def _arrivals_row(name: str, rate: float, result: LoadResult) -> Row:
    late = not result.answers or result.p50 > 1.0
    return {
        "variant": LABELS[name],
        "arrivals_per_second": rate,
        "p50_ms": significant(result.p50 * 1000, 3) if result.answers else None,
        "p99_ms": significant(result.p99 * 1000, 3) if result.answers else None,
        "errors": sum(result.errors.values()),
        "kept_up": "no" if late else "yes",
    }


def per_second(rows: Iterable[Row], name: str, users: int, delay_ms: int = 200) -> float:
    """The median answers a second of one row; raises `LookupError` when it was not measured."""
    for row in rows:
        if (row["variant"], row["users"], row["delay_ms"]) == (LABELS[name], users, delay_ms):
            return float(row["answers_per_second"])
    raise LookupError(f"{name} was not measured with {users} users")


def ratios(
    laps: Sequence[Lap], over: str, under: str, users: int, what: str = "per_second"
) -> list[float]:
    """A figure of each lap of one variant by that of the other's laps just before and after it."""
    mine = [lap for lap in laps if lap.users == users]
    others = [lap for lap in mine if lap.name == under]
    found = [
        getattr(lap, what) / mean(getattr(other, what) for other in _near(lap, others))
        for lap in mine
        if lap.name == over and _near(lap, others)
    ]
    return [significant(ratio, 3) for ratio in found]


def _near(lap: Lap, others: Sequence[Lap]) -> list[Lap]:
    before = [other for other in others if other.step < lap.step][-1:]
    after = [other for other in others if other.step > lap.step][:1]
    return before + after


def ratio_spread(
    laps: Sequence[Lap], over: str, under: str, users: int, what: str = "per_second"
) -> tuple[float, str]:
    """The median of the ratios, and from the least to the most of them."""
    found = ratios(laps, over, under, users, what)
    return float(middle(found, 3) or 0), spread(found)


def say_limits(rows: Iterable[Row]) -> list[str]:
    """A sentence for whoever trusts a row in which the load generator was the limit."""
    bound: list[Any] = [row for row in rows if row["load_was_the_limit"]]
    if not bound:
        return ["In no row was the load generator the limit."]
    named = ", ".join(f"{row['variant']} with {cell(row['users'])} users" for row in bound)
    return [f"The load generator says that it was the limit at least once in: {named}."]


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
