"""The fan-out study: each way to make five calls, under a load that grows."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from bench import laps
from bench.laps import LABELS, Course
from bench.report import Report, significant
from unblocked.show._picture import BLUE, GREEN, PALETTE, PURPLE, VERMILION, plain, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bench.report import Row, Size

_QUICK = (
    "threads_requests",
    "threads_shared",
    "httpx_default",
    "httpx_sharded",
    "httpx2_20_kept",
    "httpx_on_aiohttp",
    "aiohttp_itself",
)
_FULL = (
    "threads_requests",
    "threads_in_def",
    "threads_shared",
    "threads_default",
    "threads_httpx",
    "httpx_default",
    "httpx_article",
    "httpx_20_kept",
    "httpx_wide",
    "httpx_semaphore",
    "httpx_sharded",
    "httpx2_20_kept",
    "httpx2_wide",
    "httpx_on_aiohttp",
    "on_aiohttp_prebuilt",
    "on_lean",
    "aiohttp_itself",
    "no_call",
)
_SLOW_BEYOND = {"httpx_article": 20, "threads_default": 50, "httpx_wide": 200, "httpx_default": 500}
"""Variants whose rounds take minutes with more users."""
_STYLES = {
    "threads_requests": (VERMILION, "o-"),
    "threads_shared": (PALETTE[1], "o:"),
    "httpx_default": (BLUE, "s-"),
    "httpx_20_kept": (BLUE, "s:"),
    "httpx2_20_kept": (PURPLE, "D--"),
    "httpx_sharded": (PALETTE[0], "v--"),
    "httpx_on_aiohttp": (GREEN, "^-"),
    "aiohttp_itself": ("#333333", "x-"),
}

_COURSES = {
    "tiny": [Course(("threads_requests", "httpx_on_aiohttp"), (2,), 0.05, 0.2, 1)],
    "quick": [Course(_QUICK, (10, 50, 200), seconds=1.2, repetitions=2)],
    "full": [
        Course(_FULL, (1, 10, 20, 50, 100, 200, 500, 1000), delay, 3.0, 5)
        for delay in (0.05, 0.2, 1.0)
    ],
}
_ARRIVALS = {"tiny": 0.0, "quick": 0.0, "full": 60.0}


def study(size: Size) -> Report:
    """Answers a second, latency, threads, memory, sockets and CPU of each variant."""
    ridden = [lap for course in _COURSES[size] for lap in laps.run(replace(course, fits=_fits))]
    rows = laps.rows(ridden)
    return Report(
        title="Five calls in an endpoint: what each way gives",
        rows=rows,
        notes=_notes(_COURSES[size][0], rows),
        tables={"Which one, up to what load": _choice(rows), **_at_fixed_rate(size)},
        picture=_draw(ridden, rows),
        alt="Answers per second and threads added over the number of users, a line per variant.",
    )


def _fits(name: str, users: int) -> bool:
    return users <= _SLOW_BEYOND.get(name, users)


def _notes(course: Course, rows: list[Row]) -> list[str]:
    return [
        f"An endpoint makes {laps.CALLS} calls at once and answers when all are there. Upstream, "
        "app and load are processes of their own on one machine. Closed loop: each user asks "
        "again when answered; a latency counts from the moment at which the user asked.",
        f"Medians of {course.repetitions} interleaved repetitions of {course.seconds:g} s; "
        "`spread` is the least and the most. `cold_answers_per_second`: the first round of "
        "that many users, while connections are being opened. Threads, memory and sockets are "
        "added to those of the idle app, at the peak. An idle app has had one answer.",
        "The ideal is users ÷ delay. Plain HTTP on loopback: opening a connection costs more in "
        "life, so variants that open one for each call (`new_connections_per_call` near 1) look "
        "better here than they are.",
        *laps.say_limits(rows),
    ]


def _choice(rows: list[Row]) -> list[Row]:
    """For each variant the most users with which it reached four fifths of the ideal."""
    found: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        found.setdefault((row["variant"], row["delay_ms"]), []).append(row)
    return [_chosen(variant, delay, group) for (variant, delay), group in found.items()]


def _chosen(variant: str, delay_ms: int, rows: list[Row]) -> Row:
    def share(row: Row) -> float:
        return float(row["answers_per_second"]) * delay_ms / 1000 / float(row["users"])

    good = [row["users"] for row in rows if share(row) >= 0.8 and not row["errors"]]
    last = max(rows, key=lambda row: float(row["users"]))
    return {
        "variant": variant,
        "delay_ms": delay_ms,
        "80 % of the ideal up to users": max(good, default=None),
        f"at {last['users']} users: share of the ideal": significant(share(last), 2),
        "answers_per_second": last["answers_per_second"],
        "threads_added": last["threads_added"],
        "memory_added_mb": last["memory_added_mb"],
        "cpu_ms_per_call": last["cpu_ms_per_call"],
    }


def _at_fixed_rate(size: Size) -> dict[str, list[Row]]:
    rate = _ARRIVALS[size]
    if not rate:
        return {}
    names = [name for name in _FULL if name not in _SLOW_BEYOND]
    names.append("httpx_default")
    heading = f"{rate:g} arrivals a second, whether or not earlier ones have been answered"
    return {heading: [asyncio.run(laps.arrivals(name, rate, 2.0)) for name in names]}


def _draw(ridden: list[laps.Lap], rows: list[Row]) -> bytes:
    from matplotlib.figure import Figure

    delay = ridden[len(ridden) // 2].delay
    shown = [row for row in rows if row["delay_ms"] == round(delay * 1000)]
    figure = Figure(figsize=(10.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    users = sorted({row["users"] for row in shown})
    left.plot(users, [many / delay for many in users], ":", color="#888888", label="users ÷ delay")
    for name, (colour, style) in _STYLES.items():
        mine = [row for row in shown if row["variant"] == LABELS[name]]
        if mine:
            _line(left, mine, "answers_per_second", colour, style, LABELS[name])
            _line(right, mine, "threads_added", colour, style, None)
    _dress(left, "answers per second", users)
    _dress(right, "threads added at the peak", users)
    left.set_yscale("log")
    right.set_yscale("symlog", linthresh=10)
    right.set_ylim(bottom=0)
    figure.suptitle(f"Five calls of {delay * 1000:.0f} ms in an endpoint")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8.5, frameon=False)
    return png(figure)


def _line(
    axes: Axes, rows: list[Row], key: str, colour: str, style: str, label: str | None
) -> None:
    points = [row["users"] for row in rows], [row[key] for row in rows]
    axes.plot(*points, style, color=colour, label=label, markersize=5)


def _dress(axes: Axes, title: str, users: list[int]) -> None:
    plain(axes)
    axes.grid(axis="y", color="#e3e3e3", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xticks(users, [f"{many:,}" for many in users])
    axes.minorticks_off()
    axes.set_title(title, fontsize=11)
    axes.set_xlabel("users", fontsize=9)
