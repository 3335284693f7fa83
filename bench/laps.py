"""One variant under one load, again and again: what `fanout` and `recommended` have in common."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.report import cell, middle, significant, spread
from unblocked.rig import Meter, Upstream, load
from unblocked.show.race import serving
from unblocked.show.variants import NAMES, STUDIED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bench.report import Row
    from unblocked.rig import LoadResult, Sample
    from unblocked.show.race import Variant

CALLS = 5
LABELS = NAMES | STUDIED
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
    cpu_ms: float
    """Milliseconds of CPU of the app for each upstream call."""
    connections: float
    """New connections for each upstream call."""
    limited: bool


@dataclass(frozen=True)
class Course:
    """What is to be run: each variant, each number of users, so many times, one after the other."""

    names: Sequence[str]
    users: Sequence[int]
    delay: float = 0.2
    seconds: float = 1.5
    repetitions: int = 3
    fits: Callable[[str, int], bool] = lambda name, users: True


def run(course: Course) -> list[Lap]:
    """All laps. The repetitions are interleaved, so that a disturbance hits all variants alike."""
    laps = []
    with Upstream(delay=course.delay) as upstream:
        for turn in range(course.repetitions):
            for name in course.names:
                _say(f"{course.delay * 1000:.0f} ms, {turn + 1}/{course.repetitions}: {name}")
                laps += asyncio.run(_ride(name, upstream, course))
    _say("")
    return laps


async def _ride(name: str, upstream: Upstream, course: Course) -> list[Lap]:
    os.environ["DELAY"] = str(course.delay)  # For the variant that calls nobody.
    fitting = [users for users in course.users if course.fits(name, users)]
    with serving(name, upstream.url) as variant:
        idle = await _idle(variant)
        return [await _lap(name, variant, upstream, users, course, idle) for users in fitting]


async def _idle(variant: Variant) -> Sample:
    await load(variant.url, users=1, requests=1)  # What is loaded late is loaded now.
    with Meter(variant.pid) as meter:
        pass
    return meter.first


async def _lap(
    name: str, variant: Variant, upstream: Upstream, users: int, course: Course, idle: Sample
) -> Lap:
    cold = await load(variant.url, users=users, requests=users, timeout=PATIENCE)
    upstream.reset()
    with Meter(variant.pid) as meter:
        warm = await load(variant.url, users=users, duration=course.seconds, timeout=PATIENCE)
    counts = upstream.counts
    return Lap(
        name=name,
        users=users,
        delay=course.delay,
        cold_per_second=cold.per_second,
        per_second=warm.per_second,
        p50_ms=warm.p50 * 1000,
        p99_ms=warm.p99 * 1000,
        errors=sum(cold.errors.values()) + sum(warm.errors.values()),
        threads=max(0, meter.peak.threads - idle.threads),
        memory_mb=(meter.peak.rss - idle.rss) / 1e6,
        sockets=meter.peak.sockets - idle.sockets,
        cpu_ms=1000 * meter.latest.cpu / max(1, warm.answers * CALLS),
        connections=counts.opened / max(1, counts.requests),
        limited=warm.limited,
    )


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
        "cold_answers_per_second": middle([lap.cold_per_second for lap in laps], 3),
        "p50_ms": middle([lap.p50_ms for lap in laps], 3),
        "p99_ms": middle([lap.p99_ms for lap in laps], 3),
        "errors": sum(lap.errors for lap in laps),
        "threads_added": max(lap.threads for lap in laps),
        "memory_added_mb": middle([lap.memory_mb for lap in laps], 2),
        "sockets_peak": max(lap.sockets for lap in laps),
        "cpu_ms_per_call": middle([lap.cpu_ms for lap in laps], 2),
        "new_connections_per_call": middle([lap.connections for lap in laps], 2),
        "load_was_the_limit": sum(lap.limited for lap in laps),
    }


async def arrivals(name: str, rate: float, seconds: float) -> Row:
    """A variant at a fixed rate of arrivals: latency counts from the intended start."""
    with Upstream(delay=0.2) as upstream, serving(name, upstream.url) as variant:
        await load(variant.url, users=round(rate / 4), requests=round(rate / 2), timeout=PATIENCE)
        result = await load(variant.url, rate=rate, duration=seconds, timeout=PATIENCE)
    return _arrivals_row(name, rate, result)


def _arrivals_row(name: str, rate: float, result: LoadResult) -> Row:
    return {
        "variant": LABELS[name],
        "arrivals_per_second": rate,
        "p50_ms": significant(result.p50 * 1000, 3),
        "p99_ms": significant(result.p99 * 1000, 3),
        "errors": sum(result.errors.values()),
    }


def per_second(rows: Iterable[Row], name: str, users: int, delay_ms: int = 200) -> float:
    """The median answers a second of one row; raises `LookupError` when it was not measured."""
    for row in rows:
        if (row["variant"], row["users"], row["delay_ms"]) == (LABELS[name], users, delay_ms):
            return float(row["answers_per_second"])
    raise LookupError(f"{name} was not measured with {users} users")


def ratio_spread(laps: Sequence[Lap], over: str, under: str, users: int) -> tuple[float, str]:
    """The ratio of answers a second, repetition by repetition: its median, and its spread."""
    found: dict[str, list[float]] = {over: [], under: []}
    for lap in laps:
        if lap.users == users and lap.name in found:
            found[lap.name].append(lap.per_second)
    pairs = zip(found[over], found[under], strict=False)
    ratios = [significant(a / b, 3) for a, b in pairs if b]
    return float(middle(ratios, 3) or 0), spread(ratios)


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
