"""`unblocked race`: the headline comparison, in a terminal and as a picture."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unblocked.rig import Meter, Upstream, free_loopback_of_proxies, load
from unblocked.rig.child import Child
from unblocked.show.compare._rounds import Rounds
from unblocked.show.compare._table import number, text_table
from unblocked.show.compare.variants import CONNECTIONS, NAMES
from unblocked.show.figure import BLUE, VERMILION, new_figure, plain, png

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

    from unblocked.rig import LoadResult

CALLS, DELAY, SECONDS, ROUNDS = 5, 0.2, 2.0, 3
_HEAD = (
    "variant",
    "users",
    "threads added",
    "MB added",
    "answers/s",
    "lowest to highest",
    "p50, ms",
    "p99, ms",
)


@dataclass(slots=True)
class Run:
    """One variant under one load, in all its rounds."""

    name: str
    """The module in `unblocked.show.compare.variants`."""
    users: int
    threads: int = 0
    """Threads added to what the idle app has, at the peak of any round."""
    memory_mb: float = 0.0
    """MB added, at the peak of any round."""
    rounds: list[LoadResult] = field(default_factory=list)

    @property
    def figures(self) -> Rounds:
        """The figures of all rounds together."""
        return Rounds(self.rounds)


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant that is being served by a process of its own."""

    url: str
    pid: int


def race(args: argparse.Namespace) -> int:
    """Run the comparison for each of `args.users`, print it, and draw it into `args.out`."""
    loop, http = server_options()
    print(
        f"{CALLS} calls per request, upstream {DELAY * 1000:.0f} ms; after a warm-up {ROUNDS} "
        f"rounds of {SECONDS:g} s, the variants in turn; medians of the rounds.\n"
        f"Every client may open {CONNECTIONS:,} connections, but for the one that is taken as it "
        "comes.\n"
        f"uvicorn with {loop} and {http}; app, upstream and load in processes of their own."
    )
    runs = asyncio.run(measured(args.users))
    print(table(runs))

    for run in runs:
        if run.figures.limited:
            print(f"{NAMES[run.name]}, {run.users} users: the load generator was the limit.")

    if args.out is not None:
        args.out.write_bytes(_draw(runs, DELAY))
        print(f"The picture is in {args.out}.")
    return 0


def server_options() -> tuple[str, str]:
    """uvicorn's loop and protocol: the fast ones; uvloop is not for Windows."""
    return ("asyncio" if sys.platform == "win32" else "uvloop"), "httptools"


async def measured(
    users: Sequence[int],
    names: Sequence[str] = tuple(NAMES),
    *,
    seconds: float = SECONDS,
    rounds: int = ROUNDS,
) -> list[Run]:
    """Measure each variant under each load, in rounds, the variants in turn.

    All variants are served at the same time, each in a process of its own, and idle while another
    has its turn. A round of `seconds` begins when every user was answered once, so that no
    variant's connections are opened, or opened again, while it counts.
    """
    found = []
    with Upstream(delay=DELAY) as upstream:
        for many in users:
            found += await _rounds(upstream, many, names, seconds, rounds)
    _say("")
    return found


async def _rounds(
    upstream: Upstream, users: int, names: Sequence[str], seconds: float, rounds: int
) -> list[Run]:
    runs = [Run(name, users) for name in names]
    with ExitStack() as stack:
        served = [stack.enter_context(serving(name, upstream.url)) for name in names]
        meters = [await _idle(variant) for variant in served]
        for turn in range(1, rounds + 1):
            for run, variant, idle in zip(runs, served, meters, strict=True):
                _say(f"{users} users, round {turn} of {rounds}: {NAMES[run.name]} …")
                await _round(run, variant, idle, seconds)
    return runs


async def _idle(variant: Variant) -> Meter:
    """Measure what the app uses before its load, when everything it loads late is loaded."""
    await load(variant.url, users=1, requests=1)
    with Meter(variant.pid) as meter:
        pass
    return meter


async def _round(run: Run, variant: Variant, idle: Meter, seconds: float) -> None:
    await load(variant.url, users=run.users, requests=run.users)
    with Meter(variant.pid) as meter:
        run.rounds.append(await load(variant.url, users=run.users, duration=seconds))
    run.threads = max(run.threads, meter.peak.threads - idle.first.threads)
    run.memory_mb = max(run.memory_mb, (meter.peak.rss - idle.first.rss) / 1e6)


@contextmanager
def serving(name: str, upstream: str) -> Iterator[Variant]:
    """Serve a variant in a process of its own, until the block ends.

    Raises:
        RuntimeError: it did not start.
    """
    free_loopback_of_proxies()
    loop, http = server_options()
    start = {"name": name, "upstream": upstream, "loop": loop, "http": http}
    child = Child("unblocked.show.compare.variants", start)
    try:
        yield Variant(f"http://127.0.0.1:{child.receive()}", child.pid)
    finally:
        child.close()


def table(runs: Sequence[Run]) -> str:
    """Return the runs as a table for a terminal."""
    head = [*_HEAD, "errors"] if any(run.figures.errors for run in runs) else list(_HEAD)
    return text_table(head, [_cells(run)[: len(head)] for run in runs])


def _cells(run: Run) -> list[str]:
    values = [
        number(run.users),
        number(run.threads),
        number(run.memory_mb),
        number(run.figures.per_second),
        f"{number(min(run.figures.rates))} to {number(max(run.figures.rates))}",
        number(run.figures.p50_ms),
        number(run.figures.p99_ms),
        number(run.figures.errors.total()),
    ]
    return [NAMES[run.name], *values]


def _draw(runs: Sequence[Run], delay: float) -> bytes:
    """Draw threads and answers a second of each variant, a bar for each number of users; return a
    PNG file.

    A thin line leads from the slowest to the quickest round.
    """
    users = list(dict.fromkeys(run.users for run in runs))
    names = list(dict.fromkeys(run.name for run in runs))
    figure = new_figure(figsize=(10.5, 1.6 + len(names) * (0.32 + 0.24 * len(users))))
    figure.set_layout_engine("constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_runs(left, runs, users, names, "threads", VERMILION)
    _draw_runs(right, runs, users, names, "per_second", BLUE)
    left.set_title("threads added at the peak", fontsize=11)
    right.set_title("answers a second", fontsize=11)
    left.invert_yaxis()
    many = ", ".join(f"{n:,}" for n in users)
    ideal = ", ".join(f"{n / delay:,.0f}" for n in users)
    figure.suptitle(f"Five calls of {delay * 1000:.0f} ms in an endpoint, {many} users")
    right.set_xlabel(f"if nothing but the delay counted: {ideal}", fontsize=9)
    return png(figure)


def _draw_runs(
    axes: Axes, runs: Sequence[Run], users: list[int], names: list[str], key: str, colour: str
) -> None:
    plain(axes)
    thickness = 0.8 / len(users)
    longest = 1.0
    for run in runs:
        rates = run.figures.rates
        low, value, high = (
            (min(rates), run.figures.per_second, max(rates))
            if key == "per_second"
            else (run.threads, run.threads, run.threads)
        )
        row = users.index(run.users)
        height = names.index(run.name) + (row - (len(users) - 1) / 2) * thickness
        shade = 1.0 - 0.55 * (len(users) - 1 - row) / max(len(users), 1)

        axes.barh(height, value, height=thickness * 0.92, color=colour, alpha=shade)
        if low != high:
            axes.hlines(height, low, high, color="#222222", linewidth=1.4)
        text = f" {value:,.0f}" + (f"  ({run.users:,} users)" if len(users) > 1 else "")
        axes.text(high, height, text, va="center", fontsize=9)
        longest = max(longest, high)

    axes.set_yticks(range(len(names)), [NAMES[name] for name in names])
    axes.set_xlim(0, longest * 1.4)
    axes.xaxis.set_ticks([])
    axes.spines["bottom"].set_visible(False)


def _say(text: str) -> None:
    """Write a line over the last one, if somebody looks at a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
