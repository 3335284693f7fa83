"""The fan-out study: each way to make five calls, under a load that grows."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from bench import laps
from bench.laps import Course
from bench.report import Report, cell, significant
from bench.variants import LABELS, say_missing
from unblocked.show.figure import BLUE, GREEN, PALETTE, PURPLE, VERMILION, plain, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bench.report import Row, Size

TOLD = (
    "threads_requests",
    "threads_shared",
    "httpx_default",
    "httpx_20_kept",
    "httpx2_20_kept",
    "on_aiohttp",
    "on_aiohttp2_gc",
    "aiohttp",
)
"""The variants of README.md and of lesson 10; all but the third may open 1,000 connections."""
_MORE = (
    "threads_in_def",
    "threads_default",
    "threads_httpx",
    "httpx_article",
    "httpx_wide",
    "httpx_semaphore",
    "httpx_sharded",
    "httpx2_wide",
    "on_aiohttp_prebuilt",
    "on_aiohttp2_prebuilt",
    "on_pyreqwest",
    "on_pycurl",
    "on_curl_cffi",
    "aiosonic_gc",
    "on_lean",
    "no_call",
)
_STYLES = {
    "threads_requests": (VERMILION, "o-"),
    "threads_shared": (PALETTE[1], "o:"),
    "httpx_default": (BLUE, "s-"),
    "httpx_20_kept": (BLUE, "s:"),
    "httpx2_20_kept": (PURPLE, "D--"),
    "on_aiohttp": (PALETTE[0], "v--"),
    "on_aiohttp2_gc": (GREEN, "^-"),
    "aiohttp": ("#333333", "x-"),
}

_PATIENCE, _LONGEST = 20.0, 10.0
_bounded = partial(Course, patience=_PATIENCE, longest=_LONGEST)
_COURSES = {
    "tiny": [Course(("threads_requests", "on_aiohttp2_gc"), (2,), 0.05, 0.2, 1)],
    "quick": [_bounded(TOLD, (1, 10, 50, 200), 0.2, 1.0, 3, fresh=True)],
    "full": [
        _bounded(TOLD, (1, 10, 50, 200), 0.2, 1.2, 3, fresh=True),
        _bounded(_MORE, (50, 200), 0.2, 1.0, 2),
        _bounded(TOLD, (50, 200), 0.05, 1.0, 2),
        _bounded(TOLD, (50, 200), 1.0, 2.2, 2),
    ],
}
_ARRIVALS: dict[Size, tuple[float, ...]] = {"tiny": (), "quick": (), "full": (20.0, 60.0, 180.0)}


def study(size: Size) -> Report:
    """Answers a second, latency, threads, memory, sockets and CPU of each variant."""
    courses = _COURSES[size]
    ridden = [laps.run(course) for course in courses]
    together = [lap for course in ridden for lap in course]
    rows = laps.rows(together)
    fresh = [found for course, found in zip(courses, ridden, strict=True) if course.fresh]
    cold = laps.rows(lap for found in fresh for lap in found)
    tables = {_heading(delay): _of(rows, delay) for delay in sorted({r["delay_ms"] for r in rows})}
    return Report(
        title="Five calls in an endpoint: what each way gives",
        rows=_summary(rows),
        notes=_notes(rows),
        tables={
            "A new process and no pool, then the same with a warm pool": _cold(cold),
            **_at_fixed_rate(size),
            "Which one, up to what load": _choice(rows),
            **tables,
        },
        figures=_figures(rows),
        picture=_draw(together, rows),
        alt="Answers per second and threads added over the number of users, a line per variant.",
    )


def _heading(delay_ms: int) -> str:
    return f"Upstream of {delay_ms} ms"


def _of(rows: list[Row], delay_ms: int) -> list[Row]:
    return [
        row | {"share_of_ideal": significant(_share(row), 2)}
        for row in rows
        if row["delay_ms"] == delay_ms
    ]


def _share(row: Row) -> float:
    return float(row["answers_per_second"] * row["delay_ms"] / 1000 / row["users"])


def _summary(rows: list[Row]) -> list[Row]:
    """A row for each variant, with the delay of which there is most: what a reader asks first."""
    delay = max({row["delay_ms"] for row in rows}, key=[r["delay_ms"] for r in rows].count)
    mine = [row for row in rows if row["delay_ms"] == delay]
    users = sorted({row["users"] for row in mine})
    found: dict[str, dict[int, Row]] = {}
    for row in mine:
        found.setdefault(row["variant"], {})[row["users"]] = row
    summary = [_summed(variant, by_users, users) for variant, by_users in found.items()]
    ideal = {f"answers/s, {many} users": many * 1000 / delay for many in users}
    return [*summary, {**dict.fromkeys(summary[0]), **ideal, "variant": "users ÷ delay"}]


def _summed(variant: str, by_users: dict[int, Row], users: list[int]) -> Row:
    told = by_users[max(many for many in by_users if many <= 200)]
    answers = {
        f"answers/s, {many} users": by_users[many]["answers_per_second"]
        if many in by_users
        else None
        for many in users
    }
    kept = ("threads_added", "memory_added_mb", "sockets_peak", "cpu_ms_per_call")
    stopped = [many for many in users if many in by_users and _only_cold(by_users[many])]
    return {
        "variant": variant,
        **answers,
        "first round only, users": ", ".join(map(cell, stopped)) or None,
        **{key: told[key] for key in kept},
        "new_connections_per_call": told["new_connections_per_call"],
        "errors": sum(row["errors"] for row in by_users.values()),
    }


def _only_cold(row: Row) -> bool:
    return bool(row["first_round_only"] == "yes")


def _cold(rows: list[Row]) -> list[Row]:
    return [
        {
            "variant": row["variant"],
            "users": row["users"],
            "cold_answers_per_second": row["cold_answers_per_second"],
            "warm_answers_per_second": None if _only_cold(row) else row["answers_per_second"],
            "spread_of_warm": None if _only_cold(row) else row["spread"],
        }
        for row in rows
    ]


def _figures(rows: list[Row]) -> dict[str, float]:
    """Ratios that a page may quote, at 200 users and 200 ms."""
    found = {row["variant"]: row for row in rows if (row["users"], row["delay_ms"]) == (200, 200)}
    over = found.get(LABELS["on_aiohttp2_gc"])
    figures = {}
    for name in ("httpx_default", "httpx_20_kept", "threads_requests", "aiohttp"):
        under = found.get(LABELS[name])
        if over and under and under["answers_per_second"]:
            ratio = over["answers_per_second"] / under["answers_per_second"]
            figures[f"{LABELS['on_aiohttp2_gc']} over {LABELS[name]}"] = significant(ratio, 3)
    return figures


def _notes(rows: list[Row]) -> list[str]:
    stopped = sorted(
        {
            f"{row['variant']} ({cell(row['users'])} users, {row['delay_ms']} ms)"
            for row in rows
            if _only_cold(row)
        }
    )
    return [
        f"An endpoint makes {laps.CALLS} calls at once and answers when all are there. Upstream, "
        "app and load are processes of their own on one machine. Closed loop: each user asks "
        "again when answered; a latency counts from the moment at which the user asked. At a fixed "
        "rate of arrivals it counts from the intended start, so that nothing is left out.",
        "Medians of the repetitions, interleaved over the variants; `spread` is the least and the "
        "most. `cold_answers_per_second`: the first round of that many users, while connections "
        "are being opened. Threads, memory and sockets are added to those of the idle app, at the "
        "peak. An idle app has had one answer. The first table's threads, memory, sockets and CPU "
        "are those of the most users up to 200; `none` was not tried, or made no call. With as "
        "many users as `first round only` names, the answers a second are those of that round.",
        "The ideal is users ÷ delay. Plain HTTP on loopback: opening a connection costs more in "
        "life, so variants that open one for each call (`new_connections_per_call` near 1) look "
        "better here than they are.",
        *(
            [
                f"A first round of more than {_LONGEST:g} s is all that is asked of a "
                f"variant (an answer not there after {_PATIENCE:g} s is an error), and "
                f"more users are not tried: {'; '.join(stopped)}."
            ]
            if stopped
            else []
        ),
        *say_missing(_MORE),
        *laps.say_limits(rows),
    ]


def _choice(rows: list[Row]) -> list[Row]:
    """For each variant of a sweep the most users with which it reached four fifths of the ideal."""
    found: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["delay_ms"], row["variant"]), []).append(row)
    swept = {load: group for load, group in found.items() if len(group) > 2}
    return [_chosen(variant, delay, group) for (delay, variant), group in sorted(swept.items())]


def _chosen(variant: str, delay_ms: int, rows: list[Row]) -> Row:
    good = [row["users"] for row in rows if _share(row) >= 0.8 and not row["errors"]]
    last = max(rows, key=lambda row: float(row["users"]))
    return {
        "variant": variant,
        "delay_ms": delay_ms,
        "80 % of the ideal up to users": max(good, default=None),
        "most users tried": last["users"],
        "their share of the ideal": significant(_share(last), 2),
        "answers_per_second": last["answers_per_second"],
        "threads_added": last["threads_added"],
        "memory_added_mb": last["memory_added_mb"],
        "cpu_ms_per_call": last["cpu_ms_per_call"],
    }


def _at_fixed_rate(size: Size) -> dict[str, list[Row]]:
    rates = _ARRIVALS[size]
    if not rates:
        return {}
    heading = "Arrivals at a fixed rate, whether or not earlier ones have been answered"
    return {heading: [row for name in TOLD for row in asyncio.run(laps.arrivals(name, rates, 2.5))]}


def _draw(ridden: list[laps.Lap], rows: list[Row]) -> bytes:
    from matplotlib.figure import Figure

    delays = [lap.delay for lap in ridden]
    delay = max(delays, key=delays.count)
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
