"""Why stock HTTPX slows down as its pool fills: Python calls per request, counted and fitted."""

from __future__ import annotations

import asyncio
import math
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import httpx
import httpx2
import numpy as np
from httpx_aiohttp import HttpxAiohttpClient
from httpx_aiohttp.httpx2 import Httpx2AiohttpClient

from bench.report import Report, cell, significant
from bench.variants.lean import LeanTransport
from unblocked.rig import Upstream
from unblocked.show.figure import BLUE, GREEN, PALETTE, PURPLE, plain, png

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import FrameType

    from bench.report import Row, Size

WIDE = 1000
KEPT_SECONDS = 600.0
"""Else connections expire on a busy machine, and the counts shrink."""
_ASSIGN = "AsyncConnectionPool._assign_requests_to_connections"
_STYLES = dict(
    zip(
        (
            "httpx",
            "httpx2",
            "HttpxAiohttpClient",
            "Httpx2AiohttpClient",
            "own transport",
            "aiohttp",
        ),
        (
            (BLUE, "s-"),
            (PURPLE, "D--"),
            (GREEN, "^-"),
            (PALETTE[0], "v--"),
            (PALETTE[1], "o:"),
            ("#333333", "x-"),
        ),
        strict=True,
    )
)


class _Aiohttp:
    """An aiohttp session whose `get` makes a whole call, as HTTPX's does."""

    def __init__(self, most: int) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=most, keepalive_timeout=KEPT_SECONDS)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    async def get(self, url: str) -> bytes:
        async with self._session.get(url) as response:
            return await response.read()


def _stock(most: int, kept: int) -> Any:
    limits = httpx.Limits(
        max_connections=most, max_keepalive_connections=kept, keepalive_expiry=KEPT_SECONDS
    )
    return httpx.AsyncClient(limits=limits, timeout=60)


def _limits2(most: int, kept: int) -> httpx2.Limits:
    return httpx2.Limits(
        max_connections=most, max_keepalive_connections=kept, keepalive_expiry=KEPT_SECONDS
    )


def _second(most: int, kept: int) -> Any:
    return httpx2.AsyncClient(limits=_limits2(most, kept), timeout=60)


def _second_on_aiohttp(most: int, kept: int) -> Any:
    return Httpx2AiohttpClient(limits=_limits2(most, kept), timeout=60)


def _on_aiohttp(most: int, kept: int) -> Any:
    limits = httpx.Limits(
        max_connections=most, max_keepalive_connections=kept, keepalive_expiry=KEPT_SECONDS
    )
    return HttpxAiohttpClient(limits=limits, timeout=60)


def _on_own(most: int, kept: int) -> Any:
    limits = httpx.Limits(
        max_connections=most, max_keepalive_connections=kept, keepalive_expiry=KEPT_SECONDS
    )
    return httpx.AsyncClient(transport=LeanTransport(limits=limits), timeout=60)


def _itself(most: int, kept: int) -> Any:
    return _Aiohttp(most)


KINDS: dict[str, Callable[[int, int], Any]] = {
    "httpx": _stock,
    "httpx2": _second,
    "HttpxAiohttpClient": _on_aiohttp,
    "Httpx2AiohttpClient": _second_on_aiohttp,
    "own transport": _on_own,
    "aiohttp": _itself,
}
"""What is called what in the tables → how to open it, with so many connections, so many kept."""


# --- counting -------------------------------------------------------------------------------


@dataclass
class Counts:
    """Calls made while something was awaited, by this thread."""

    python: Counter[str]
    """Python functions, by qualified name."""
    packages: Counter[str]
    """The same calls, by package."""
    c: Counter[str]
    """Functions written in C, by name."""


async def counted(work: Awaitable[Any]) -> Counts:
    """Await `work` and count every call that is made meanwhile."""
    counts = Counts(Counter(), Counter(), Counter())

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            counts.python[frame.f_code.co_qualname] += 1
            counts.packages[_package(frame.f_code.co_filename)] += 1
        elif event == "c_call":
            counts.c[argument.__qualname__] += 1

    sys.setprofile(note)
    try:
        await work
    finally:
        sys.setprofile(None)
    return counts


def _package(filename: str) -> str:
    parts = Path(filename).parts
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    return "the transport itself" if parts[-2:] == ("variants", "lean.py") else "standard library"


# --- the three questions --------------------------------------------------------------------


async def with_idle(kind: str, upstream: Upstream, idle: int) -> tuple[Row, Counts]:
    """One request, while the pool holds so many idle connections."""
    async with KINDS[kind](WIDE, WIDE) as client:
        url = upstream.url
        upstream.gather_at(idle)  # All are held until each has a connection of its own.
        await asyncio.gather(*(client.get(url) for _ in range(idle)))
        await client.get(url)  # What is done once only has been done.
        upstream.reset()
        counts = await counted(client.get(url))
    return _row(kind, "idle", idle, counts, 1), counts


async def with_queue(kind: str, upstream: Upstream, most: int, queued: int) -> Row:
    """So many requests more than connections, all at once."""
    upstream.gather_at(0)
    async with KINDS[kind](most, most) as client:
        requests = most + queued
        work = asyncio.gather(*(client.get(upstream.url) for _ in range(requests)))
        counts = await counted(work)
    return _row(kind, "queued", queued, counts, requests)


async def with_busy(kind: str, upstream: Upstream, callers: int, rounds: int = 3) -> Row:
    """So many callers that ask again when answered; nothing queues."""
    upstream.gather_at(0)
    async with KINDS[kind](WIDE, WIDE) as client:

        async def caller() -> None:
            for _ in range(rounds):
                await client.get(upstream.url)

        await asyncio.gather(*(caller() for _ in range(callers)))
        counts = await counted(asyncio.gather(*(caller() for _ in range(callers))))
    return _row(kind, "callers", callers, counts, callers * rounds)


def _row(kind: str, what: str, many: int, counts: Counts, requests: int) -> Row:
    def each(number: int) -> float:
        return significant(number / requests, 6)

    asked = (n for name, n in counts.python.items() if name.startswith("AsyncHTTPConnection.is_"))
    return {
        "client": kind,
        what: many,
        "python_calls": each(counts.python.total()),
        "c_calls": each(counts.c.total()),
        "passes_over_the_pool": each(counts.python[_ASSIGN]),
        "is_idle": each(counts.python["AsyncHTTPConnection.is_idle"]),
        "questions_to_connections": each(sum(asked)),
        "poll": each(counts.c["poll.poll"]),
    }


# --- fitting --------------------------------------------------------------------------------


def fit(points: Sequence[tuple[float, float]]) -> tuple[float, float, float, float]:
    """a + b·n + c·n² through the points by least squares; the last number is the largest miss.

    The miss is relative. The squares are of relative errors, so that small numbers count as much.
    """
    n, calls = (np.array(values, dtype=float) for values in zip(*points, strict=True))
    terms = np.stack([np.ones_like(n), n, n * n][: min(3, len(points))], axis=1)
    found, *_ = np.linalg.lstsq(terms / calls[:, None], np.ones_like(n), rcond=None)
    miss = float(np.max(np.abs(terms @ found / calls - 1)))
    a, b, c = [*found, 0.0, 0.0][:3]
    return float(a), float(b), float(c), miss


def _fits(rows: Sequence[Row], what: str) -> list[Row]:
    found = []
    for kind in KINDS:
        points = [(row[what], row["python_calls"]) for row in rows if row["client"] == kind]
        a, b, c, miss = fit(points)
        found.append(
            {
                "client": kind,
                "for each": what,
                "a": significant(a, 3),
                "b": significant(b, 3) if abs(b) > 0.05 else 0.0,
                "c": significant(c, 3) if abs(c) > 0.005 else 0.0,
                "largest_miss_percent": significant(100 * miss, 2) if miss > 1e-6 else 0.0,
            }
        )
    return found


# --- the study ------------------------------------------------------------------------------

_IDLES = {
    "tiny": (1, 4, 8),
    "quick": (1, 10, 25, 50, 100),
    "full": (1, 10, 25, 50, 100, 150, 200, 250),
}
_QUEUES = {"tiny": (0, 4, 8), "quick": (0, 20, 40, 80, 120), "full": (0, 50, 100, 200, 400)}
_CALLERS = {"tiny": (2, 4, 8), "quick": (1, 10, 20, 40), "full": (1, 10, 25, 50, 100, 200)}
_CONNECTIONS = {"tiny": 4, "quick": 20, "full": 100}


def study(size: Size) -> Report:
    """Python calls per request over idle connections, queued requests, and busy connections."""
    return asyncio.run(_study(size))


async def _study(size: Size) -> Report:
    with Upstream(delay=0.0) as upstream:
        idle, packages = await _idle_rows(upstream, _IDLES[size])
        most = _CONNECTIONS[size]
        queue = [await with_queue(kind, upstream, most, n) for kind in KINDS for n in _QUEUES[size]]
        busy = [await with_busy(kind, upstream, n) for kind in KINDS for n in _CALLERS[size]]
    fits = _fits(idle, "idle") + _fits(queue, "queued") + _fits(busy, "callers")
    return Report(
        title="Why a request costs more as HTTPX's pool fills",
        rows=idle,
        notes=_notes(idle, queue, fits, most),
        tables={
            f"Requests that wait in the queue of a pool of {most}, all begun at once": queue,
            "Callers that ask again when answered, nothing queued": busy,
            "Calls = a + b·n + c·n²": fits,
            "Whose calls they are, with the most idle connections": packages,
        },
        picture=_draw(idle, queue),
        alt="Python calls for one request over idle connections and over queued requests. "
        "HTTPX climbs steeply, httpx2 with the idle connections only, the others not at all.",
    )


async def _idle_rows(upstream: Upstream, many: Sequence[int]) -> tuple[list[Row], list[Row]]:
    rows, packages = [], []
    for kind in KINDS:
        for idle in many:
            row, counts = await with_idle(kind, upstream, idle)
            rows.append(row)
        for package, calls in counts.packages.most_common(6):
            packages.append({"client": kind, "idle": idle, "package": package, "calls": calls})
    return rows, packages


def _notes(idle: list[Row], queue: list[Row], fits: list[Row], most: int) -> list[str]:
    stock = [row for row in idle if row["client"] == "httpx"]
    first, last = stock[0], stock[-1]
    waiting = [row for row in queue if row["client"] == "httpx"]
    law = all(row["is_idle"] == 2 * row["idle"] ** 2 + 3 * row["idle"] for row in stock)
    says = "holds exactly at every row" if law else "does not hold at every row"
    return [
        "Calls are counted with `sys.setprofile`, not timed: a busy machine does not change a "
        f"count. Pools of {WIDE} connections, {WIDE} kept, unless the heading says otherwise. "
        "`own transport` is `httpx.AsyncClient` on the transport in "
        "`bench/variants/lean.py`: one queue of idle connections per origin, one of "
        "waiting requests. It shows what is possible below HTTPX's own interface.",
        f"**What happens.** With {first['idle']} idle connection one request of stock HTTPX makes "
        f"{cell(first['python_calls'])} Python calls, with {last['idle']} "
        f"{cell(last['python_calls'])}. With {waiting[-1]['queued']} requests waiting for a pool "
        f"of {most} each makes {cell(waiting[-1]['python_calls'])}, with none waiting "
        f"{cell(waiting[0]['python_calls'])}.",
        "**Why.** All of it is in `AsyncConnectionPool._assign_requests_to_connections` "
        "(httpcore). It runs when a request comes and when its body is closed, and again for each "
        "lost race:",
        "1. For each idle connection it builds a list over *all* connections, and calls "
        f"`is_idle()` on each. Law: 2N² + 3N calls of `is_idle` for one request; it {says}.\n"
        "2. That list is not filtered: its length is the number of all connections, not of idle "
        "ones. So above `max_keepalive_connections` *in all*, every connection that becomes idle "
        "is closed, and keep-alive is lost.\n"
        "3. `has_expired()` makes a `poll` system call for every idle connection: 2N a request.\n"
        "4. For each queued request it builds two more lists over all connections.\n"
        "5. A connection counts as busy only after a lock that yields to the event loop. Until "
        "then others are given the same connection, lose, and make the whole pass again "
        "(`passes_over_the_pool` beyond 2).",
        "**What would help.** A queue of idle connections per origin, popped from the end; a "
        "queue of waiting requests, of which a freed connection wakes one; reserve a connection "
        "when it is assigned; look for expired ones by age from the front, and ask the socket only "
        "of the connection that is about to be used. `own transport` does that, and aiohttp's "
        "connector does it, too: their rows do not grow.",
        "**What httpx2 has changed**: 1, 2, 4 and 5. What is left is linear: each pass visits "
        "every connection, and polls each idle one.",
        "**To read further**: encode/httpx issue 3215; encode/httpcore pull requests 924, 1000 and "
        "1035; pydantic/httpx2 issue 827 and pull requests 974 (merged) and 1169.",
        _fitted(fits),
    ]


def _fitted(fits: list[Row]) -> str:
    stock = {row["for each"]: row for row in fits if row["client"] == "httpx"}
    idle, queued = stock["idle"], stock["queued"]
    return (
        f"**Fitted**, for stock HTTPX: {cell(idle['a'])} + {cell(idle['b'])}·n + {cell(idle['c'])}"
        f"·n² calls with n idle connections (largest miss {cell(idle['largest_miss_percent'])} %); "
        f"{cell(queued['a'])} + {cell(queued['b'])}·n + {cell(queued['c'])}·n² with n requests "
        f"queued (largest miss {cell(queued['largest_miss_percent'])} %)."
    )


def _draw(idle: list[Row], queue: list[Row]) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, rows, what in zip(panels, (idle, queue), ("idle", "queued"), strict=True):
        for kind, (colour, style) in _STYLES.items():
            mine = [row for row in rows if row["client"] == kind]
            points = [row[what] for row in mine], [row["python_calls"] for row in mine]
            label = kind if what == "idle" else None
            axes.plot(*points, style, color=colour, label=label, markersize=5)
        plain(axes)
        axes.grid(axis="y", color="#e3e3e3", linewidth=0.8)
        axes.set_yscale("log")
        noun = "idle connections" if what == "idle" else "requests that wait for the pool"
        axes.set_title(f"Python calls for each request, over {noun}", fontsize=10)
        axes.set_xlabel(noun, fontsize=9)
    lowest = min(row["python_calls"] for row in idle + queue)
    panels[0].set_ylim(bottom=10 ** math.floor(math.log10(lowest)))
    figure.legend(loc="outside lower center", ncols=5, fontsize=9, frameon=False)
    return png(figure)
