"""The client that lesson 10 recommends, step by step, against raw aiohttp."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import linear_regression
from typing import TYPE_CHECKING

from bench import laps
from bench.laps import Course, beside, secure
from bench.report import Report, cell, significant
from bench.variants import LABELS, say_missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.laps import Lap
    from bench.report import Row, Size

REFERENCE = "aiohttp"
RECOMMENDED = "on_aiohttp2_gc"
TARGET = 0.95
"""The share of raw aiohttp's answers that a recommended client gives with plain `client.get`."""
_STEPS = (
    RECOMMENDED,
    "on_aiohttp2_prebuilt",
    "on_aiohttp_gc",
    "on_aiohttp2",
    "aiosonic_gc",
    "on_aiohttp",
    "aiohttp_gc",
    "on_aiohttp_prebuilt",
)
_SLOW = ("httpx2_20_kept", "httpx_20_kept", "threads_requests", "httpx_default")
_FEW = (RECOMMENDED, "on_aiohttp2_prebuilt", "on_aiohttp_gc", "httpx2_20_kept")
_GROWING = (RECOMMENDED, REFERENCE)


@dataclass(frozen=True)
class _Plan:
    many: Course
    few: Course
    few_tls: Course
    growing: Course


def _with_reference(names: Sequence[str], users: int, seconds: float, times: int) -> Course:
    return Course(beside(REFERENCE, names), (users,), 0.2, seconds, times, 20.0, 6.0)


def _plan(size: Size) -> _Plan:
    if size == "tiny":
        tiny = Course(beside(REFERENCE, (RECOMMENDED, *_SLOW[2:])), (2,), 0.05, 0.2, 1)
        return _Plan(
            tiny,
            tiny,
            Course(beside(REFERENCE, (RECOMMENDED,)), (2,), 0.05, 0.2, 1, upstream=secure),
            tiny,
        )
    steps, seconds, times = (_STEPS, 2.0, 5) if size == "full" else (_STEPS[:5], 1.2, 3)
    few = _with_reference(_FEW, 50, seconds, (times + 1) // 2)
    return _Plan(
        many=_with_reference((*steps, *_SLOW), 200, seconds, times),
        few=few,
        few_tls=Course(few.names, few.users, 0.2, seconds, few.repetitions, upstream=secure),
        growing=Course(_GROWING, (100, 400, 1000), 0.2, 0.6, 1),
    )


def study(size: Size) -> Report:
    """Answers a second and CPU of each client, as shares of raw aiohttp's."""
    plan = _plan(size)
    many = laps.run(plan.many)
    few, few_tls, growing = (laps.run(each) for each in (plan.few, plan.few_tls, plan.growing))
    rows = _shares(plan.many, many)
    return Report(
        title="The recommended client, and how near it comes to raw aiohttp",
        rows=rows,
        notes=_notes(plan, rows, laps.say_limits(laps.rows([*many, *few, *few_tls, *growing]))),
        tables={
            f"{plan.few.users[0]} callers": _shares(plan.few, few),
            f"{plan.few_tls.users[0]} callers, over TLS": _shares(plan.few_tls, few_tls),
            "How many times as many answers as": _times(plan.many, many),
            "Memory: MB = a + b·users": _memory(laps.rows(growing)),
        },
        figures=_figures(plan.many, many),
    )


def _shares(course: Course, ridden: Sequence[Lap]) -> list[Row]:
    names = {LABELS[lap.name]: lap.name for lap in ridden}
    rows = [_row(names[row["variant"]], row, ridden) for row in laps.rows(ridden)]
    return sorted(rows, key=lambda row: -float(row["share_of_aiohttp"]))


def _row(name: str, row: Row, ridden: Sequence[Lap]) -> Row:
    users = row["users"]
    share, spread = laps.ratio_spread(ridden, name, REFERENCE, users)
    cpu, spread_cpu = laps.ratio_spread(ridden, name, REFERENCE, users, "cpu_ms")
    return {
        "variant": row["variant"],
        "users": users,
        "answers_per_second": row["answers_per_second"],
        "share_of_aiohttp": share,
        "spread_of_share": spread,
        "cpu_ms_per_call": row["cpu_ms_per_call"],
        "cpu_of_aiohttps": cpu,
        "spread_of_cpu": spread_cpu,
        "p50_ms": row["p50_ms"],
        "p99_ms": row["p99_ms"],
        "threads_added": row["threads_added"],
        "memory_added_mb": row["memory_added_mb"],
        "laps": row["repetitions"],
        "errors": row["errors"],
    }


def _figures(course: Course, ridden: Sequence[Lap]) -> dict[str, float]:
    users = course.users[0]
    share, _ = laps.ratio_spread(ridden, RECOMMENDED, REFERENCE, users)
    cpu, _ = laps.ratio_spread(ridden, RECOMMENDED, REFERENCE, users, "cpu_ms")
    figures = {"recommended, share of aiohttp": share, "recommended, CPU of aiohttp's": cpu}
    for slow in [name for name in _SLOW if name in course.names]:
        times, _ = laps.ratio_spread(ridden, RECOMMENDED, slow, users)
        figures[f"recommended, times {LABELS[slow]}"] = times
    return figures


def _times(course: Course, ridden: Sequence[Lap]) -> list[Row]:
    slow = [name for name in _SLOW if name in course.names]
    ridden_names = {lap.name for lap in ridden}
    fast = [name for name in dict.fromkeys(course.names) if name in ridden_names]
    return [_times_row(name, slow, ridden, course.users[0]) for name in fast if name not in slow]


def _times_row(name: str, slow: Sequence[str], ridden: Sequence[Lap], users: int) -> Row:
    found: Row = {"variant": LABELS[name]}
    for under in slow:
        ratio, spread = laps.ratio_spread(ridden, name, under, users)
        found |= {LABELS[under]: ratio, f"spread, {under}": spread}
    return found


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


def _notes(plan: _Plan, rows: Sequence[Row], limits: list[str]) -> list[str]:
    many = plan.many
    (told,) = [row for row in rows if row["variant"] == LABELS[RECOMMENDED]]
    verdict = "reached" if told["share_of_aiohttp"] >= TARGET else "missed"
    return [
        f"{many.users[0]} users, five calls of {many.delay * 1000:.0f} ms, at most 1,000 "
        "connections for every client unless the name says otherwise, the same process model for "
        "all. Each lap begins with a round that opens the connections and is not counted; then "
        f"{many.seconds:g} s are measured. {many.repetitions} interleaved rounds; raw aiohttp "
        "rides before every two variants and at the end. A share is a lap by the mean of "
        "aiohttp's laps just before and after it, then the median of these; so is the CPU of a "
        "call. On a busy machine trust the CPU more than the answers.",
        f"Recommended: {told['variant']}, with plain `client.get`: {cell(told['share_of_aiohttp'])}"
        f" ({told['spread_of_share']}) of raw aiohttp's answers, {cell(told['cpu_of_aiohttps'])} "
        f"({told['spread_of_cpu']}) times its CPU for a call. The target was {TARGET}: {verdict}.",
        "*Rare collection*: `gc.collect(); gc.freeze(); gc.set_threshold(100_000, 50, 50)` when "
        "the app starts. It trades memory for time. *Request built once*: `client.build_request` "
        "in the lifespan, `client.send` in the endpoint; right for GETs without a body whose "
        "cookies do not change. `aiosonic.httpx_client` is evidence only: it has other exceptions "
        "and lacks parts of HTTPX's interface, and it keeps no cookies with a pool of this size.",
        *say_missing(many.names),
        *limits,
    ]
