"""The endpoint that lesson 10 ends with, tuned step by step, against raw aiohttp."""

from __future__ import annotations

from statistics import linear_regression
from typing import TYPE_CHECKING

from bench import laps
from bench.laps import LABELS, Course
from bench.report import Report, cell, significant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.laps import Lap
    from bench.report import Row, Size

REFERENCE = "aiohttp_itself"
_STEPS = (
    REFERENCE,
    "aiohttp_gc",
    "httpx_on_aiohttp",
    "on_aiohttp_gc",
    "on_aiohttp_prebuilt",
    "on_lean",
    "on_lean_gc",
    "on_lean_prebuilt",
)
_QUICK = (REFERENCE, "httpx_on_aiohttp", "on_aiohttp_prebuilt", "on_lean", "on_lean_prebuilt")
_SLOW = ("threads_requests", "httpx_default")
_GROWING = ("httpx_on_aiohttp", "on_lean_gc", REFERENCE)
_TINY = Course((REFERENCE, "on_lean_prebuilt", *_SLOW), (2,), 0.05, 0.2, 1)
_COURSES = {
    "tiny": (_TINY, _TINY),
    "quick": (
        Course((*_QUICK, *_SLOW), (200,), seconds=2.0),
        Course(_GROWING[:2], (250, 1000), seconds=2.0, repetitions=1),
    ),
    "full": (
        Course((*_STEPS, *_SLOW), (200,), seconds=2.0, repetitions=5),
        Course(_GROWING, (100, 250, 500, 750, 1000), seconds=1.5, repetitions=1),
    ),
}
TARGETS = {REFERENCE: 0.9, "httpx_default": 10.0, "threads_requests": 4.0}


def study(size: Size) -> Report:
    """Answers a second of each step, as shares of raw aiohttp's; memory up to 1,000 users."""
    ridden, growing = (laps.run(course) for course in _COURSES[size])
    users = _COURSES[size][0].users[0]
    steps = [lap for lap in ridden if lap.name not in _SLOW]
    slow = laps.rows(lap for lap in ridden if lap.name in _SLOW)
    rows = [_row(row, steps, users) for row in laps.rows(steps)]
    growing_rows = laps.rows(growing)
    figures = {f"{row['variant']}, share of aiohttp": row["share_of_aiohttp"] for row in rows}
    times = _times(rows, ridden, users)
    return Report(
        title="The recommended endpoint, and how near it comes to raw aiohttp",
        rows=rows,
        notes=_notes(_COURSES[size][0], rows, laps.say_limits([*laps.rows(ridden), *growing_rows])),
        tables={
            "How many times as many answers as": times,
            "Threads, and HTTPX as it comes": slow,
            "More users": growing_rows,
            "Memory: MB = a + b·users": _memory(growing_rows),
        },
        figures=figures | _ratios(times),
    )


def _ratios(times: Sequence[Row]) -> dict[str, float]:
    return {
        f"{row['variant']}, times {LABELS[name]}": row[LABELS[name]]
        for row in times
        for name in _SLOW
    }


def _memory(rows: Sequence[Row]) -> list[Row]:
    """A line through the peaks: what each user more costs, and by how much it misses."""
    found = []
    for variant in dict.fromkeys(row["variant"] for row in rows):
        mine = [row for row in rows if row["variant"] == variant]
        points = [(row["users"], row["memory_added_mb"]) for row in mine]
        if len({users for users, _ in points}) < 2:
            continue
        slope, start = linear_regression(*zip(*points, strict=True))
        miss = max(abs(start + slope * users - memory) for users, memory in points)
        found.append(
            {
                "variant": variant,
                "a, MB": significant(start, 3),
                "b, MB per 100 users": significant(100 * slope, 3),
                "largest_miss_mb": significant(miss, 2),
                "most_users": max(users for users, _ in points),
                "errors": sum(row["errors"] for row in mine),
            }
        )
    return found


def _row(row: Row, steps: Sequence[Lap], users: int) -> Row:
    name = next(name for name, label in LABELS.items() if label == row["variant"])
    share, spread = laps.ratio_spread(steps, name, REFERENCE, users)
    return {
        "variant": row["variant"],
        "users": users,
        "answers_per_second": row["answers_per_second"],
        "spread": row["spread"],
        "share_of_aiohttp": share,
        "spread_of_share": spread,
        "p50_ms": row["p50_ms"],
        "p99_ms": row["p99_ms"],
        "cpu_ms_per_call": row["cpu_ms_per_call"],
        "threads_added": row["threads_added"],
        "memory_added_mb": row["memory_added_mb"],
        "errors": row["errors"],
    }


def _times(rows: Sequence[Row], ridden: Sequence[Lap], users: int) -> list[Row]:
    return [_times_row(row["variant"], ridden, users) for row in rows]


def _times_row(variant: str, ridden: Sequence[Lap], users: int) -> Row:
    name = next(name for name, label in LABELS.items() if label == variant)
    found: Row = {"variant": variant}
    for slow in _SLOW:
        ratio, spread = laps.ratio_spread(ridden, name, slow, users)
        found |= {LABELS[slow]: ratio, f"spread, {slow}": spread}
    return found


def _notes(course: Course, rows: Sequence[Row], limits: list[str]) -> list[str]:
    best = max(
        (row for row in rows if not row["variant"].startswith("aiohttp")),
        key=lambda row: float(row["share_of_aiohttp"]),
    )
    return [
        f"{course.users[0]} users, five calls of {course.delay * 1000:.0f} ms, warm pools, the "
        f"same process model for all. {course.repetitions} interleaved repetitions of "
        f"{course.seconds:g} s; a share is taken repetition by repetition, then the median.",
        f"Nearest to raw aiohttp while the endpoint is written with HTTPX: {best['variant']}, "
        f"{cell(best['share_of_aiohttp'])} ({best['spread_of_share']}). "
        f"The target was {TARGETS[REFERENCE]}, with ten times stock HTTPX and four times threads.",
        "*Less garbage collection*: `gc.collect(); gc.freeze(); gc.set_threshold(100_000, 50, 50)` "
        "when the app starts. It trades memory for time. *Request built once*: "
        "`client.build_request` in the lifespan, `client.send` in the endpoint; right for GETs "
        "without a body whose cookies do not change. *A transport of our own*: "
        "`httpx.AsyncClient(transport=LeanTransport(limits=…))` of "
        "`src/unblocked/show/compare/variants/_lean.py`, which keeps HTTPX's exceptions and its "
        "four timeouts, and has no proxies, no HTTP/2 and no retries. It is evidence, not a "
        "package that somebody keeps: lesson 10 recommends HttpxAiohttpClient.",
        *limits,
    ]
