"""`unblocked race`: the headline comparison, in a terminal and as a picture."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unblocked.rig import Meter, Upstream, free_loopback_of_proxies, load
from unblocked.show.compare._table import number, text_table
from unblocked.show.compare.variants import NAMES
from unblocked.show.figure import BLUE, VERMILION, new_figure, plain, png

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

CALLS, DELAY, SECONDS = 5, 0.2, 3.0
_LEAVE_SECONDS = 10.0
_HEAD = ("variant", "users", "threads added", "MB added", "answers/s", "p50, ms", "p99, ms")


@dataclass(frozen=True, slots=True)
class Lap:
    """One variant under one load."""

    name: str
    """The module in `unblocked.show.compare.variants`."""
    users: int
    threads: int
    """Threads added to what the idle app has, at the peak."""
    memory_mb: float
    """MB added, at the peak."""
    per_second: float
    """Answers a second."""
    p50_ms: float | None
    p99_ms: float | None
    errors: int
    limited: bool
    """Whether the load generator was the limit."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant that is being served by a process of its own."""

    url: str
    pid: int


def race(args: argparse.Namespace) -> int:
    """Run the comparison for each of `args.users`, print it, and draw it into `args.out`."""
    loop, http = server_options()
    print(
        f"{CALLS} calls per request, upstream {DELAY * 1000:.0f} ms, {SECONDS:g} s each; "
        f"uvicorn with {loop} and {http}; app, upstream and load in processes of their own."
    )
    laps = asyncio.run(run_laps(args.users))
    print(table(laps))
    for lap in laps:
        if lap.limited:
            print(f"{NAMES[lap.name]}, {lap.users} users: the load generator was the limit.")
    if args.out is not None:
        args.out.write_bytes(_drawn(laps, DELAY))
        print(f"The picture is in {args.out}.")
    return 0


def server_options() -> tuple[str, str]:
    """uvicorn's loop and protocol: the fast ones; uvloop is not for Windows."""
    return ("asyncio" if sys.platform == "win32" else "uvloop"), "httptools"


async def run_laps(
    users: Sequence[int], names: Sequence[str] = tuple(NAMES), *, seconds: float = SECONDS
) -> list[Lap]:
    """Each variant under each load, one after the other."""
    laps = []
    with Upstream(delay=DELAY) as upstream:
        for many in users:
            for name in names:
                _say(f"{NAMES[name]}, {many} users …")
                with serving(name, upstream.url) as variant:
                    laps.append(await _lap(name, variant, many, seconds))
    _say("")
    return laps


@contextmanager
def serving(name: str, upstream: str) -> Iterator[Variant]:
    """A variant in a process of its own, served until the block ends.

    Raises:
        RuntimeError: it did not start.
    """
    free_loopback_of_proxies()
    loop, http = server_options()
    module = [
        "-P",
        "-m",
        "unblocked.show.compare.variants",
        name,
        f"--loop={loop}",
        f"--http={http}",
    ]
    process = subprocess.Popen(
        [sys.executable, *module],
        env={**os.environ, "UPSTREAM": upstream},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError(f"{name} did not start")
        yield Variant(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.stdin.close()
        _await_end(process)
        process.stdout.close()


def _await_end(process: subprocess.Popen[Any]) -> None:
    try:
        process.wait(_LEAVE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


async def _lap(name: str, variant: Variant, users: int, seconds: float) -> Lap:
    await load(variant.url, users=1, requests=1)  # What is loaded late is loaded now.
    with Meter(variant.pid) as meter:
        result = await load(variant.url, users=users, duration=seconds)
    return Lap(
        name=name,
        users=users,
        threads=meter.added.threads,
        memory_mb=meter.added.rss / 1e6,
        per_second=result.per_second,
        p50_ms=result.p50 * 1000 if result.answers else None,
        p99_ms=result.p99 * 1000 if result.answers else None,
        errors=sum(result.errors.values()),
        limited=result.limited,
    )


def table(laps: Sequence[Lap]) -> str:
    """The laps as a table for a terminal."""
    head = [*_HEAD, "errors"] if any(lap.errors for lap in laps) else list(_HEAD)
    return text_table(head, [_cells(lap)[: len(head)] for lap in laps])


def _cells(lap: Lap) -> list[str]:
    values = (lap.users, lap.threads, lap.memory_mb, lap.per_second, lap.p50_ms, lap.p99_ms)
    return [NAMES[lap.name], *map(number, values), number(lap.errors)]


def _drawn(laps: Sequence[Lap], delay: float) -> bytes:
    """Threads and answers a second of each variant, a bar per number of users; a PNG file."""
    users = list(dict.fromkeys(lap.users for lap in laps))
    names = list(dict.fromkeys(lap.name for lap in laps))
    figure = new_figure(figsize=(10.5, 1.6 + len(names) * (0.32 + 0.24 * len(users))))
    figure.set_layout_engine("constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_laps(left, laps, users, names, "threads", VERMILION)
    _draw_laps(right, laps, users, names, "per_second", BLUE)
    left.set_title("threads added at the peak", fontsize=11)
    right.set_title("answers a second", fontsize=11)
    left.invert_yaxis()
    many = ", ".join(f"{n:,}" for n in users)
    ideal = ", ".join(f"{n / delay:,.0f}" for n in users)
    figure.suptitle(f"Five calls of {delay * 1000:.0f} ms in an endpoint, {many} users")
    right.set_xlabel(f"if nothing but the delay counted: {ideal}", fontsize=9)
    return png(figure)


def _draw_laps(
    axes: Axes, laps: Sequence[Lap], users: list[int], names: list[str], key: str, colour: str
) -> None:
    plain(axes)
    thickness = 0.8 / len(users)
    for lap in laps:
        row = users.index(lap.users)
        value = getattr(lap, key)
        place = names.index(lap.name) + (row - (len(users) - 1) / 2) * thickness
        shade = 1.0 - 0.55 * (len(users) - 1 - row) / max(len(users), 1)
        axes.barh(place, value, height=thickness * 0.92, color=colour, alpha=shade)
        text = f" {value:,.0f}" + (f"  ({lap.users:,} users)" if len(users) > 1 else "")
        axes.text(value, place, text, va="center", fontsize=9)
    axes.set_yticks(range(len(names)), [NAMES[name] for name in names])
    axes.set_xlim(0, max([getattr(lap, key) for lap in laps] + [1]) * 1.4)
    axes.xaxis.set_ticks([])
    axes.spines["bottom"].set_visible(False)


def _say(text: str) -> None:
    """One line that is written over; only for somebody who looks."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
