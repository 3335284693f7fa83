"""What passing large bodies through costs: the whole body in memory, or piece by piece."""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import TYPE_CHECKING

import aiohttp

from bench.report import Report, cell, significant
from bench.variants import LABELS, serving
from unblocked.rig import Meter, Upstream, load

if TYPE_CHECKING:
    from bench.report import Row, Size

_WAYS = ("relay_buffered", "relay_streamed", "relay_streamed_stock")
_CALLERS = {"tiny": (2,), "quick": (1, 10, 100), "full": (1, 10, 50, 100, 200)}
_CHARACTERS = {"tiny": 100_000, "quick": 6_045_000, "full": 6_045_000}
"""Six million characters of the upstream are ten million bytes."""


def study(size: Size) -> Report:
    """Peak memory, first-byte time and whole time of relays that buffer and that stream."""
    characters = _CHARACTERS[size]
    rows = []
    with Upstream(delay=0.0, size=characters) as upstream:
        for callers in _CALLERS[size]:
            rows += [asyncio.run(_relayed(way, upstream, callers)) for way in _WAYS]
    return Report(
        title="A relay that buffers, and one that streams",
        rows=rows,
        notes=_notes(rows),
        figures={_named(row): row["memory_added_mb"] for row in rows},
    )


def _named(row: Row) -> str:
    return f"{row['variant']}, {row['callers']} callers, MB"


async def _relayed(way: str, upstream: Upstream, callers: int) -> Row:
    with serving(way, upstream.url) as relay:
        await load(f"{relay.url}/?size=10", users=1, requests=1)
        with Meter(relay.pid) as meter:
            seen = await _read_all(relay.url, callers)
    first, whole, sizes = zip(*seen, strict=True)
    return {
        "variant": LABELS[way],
        "callers": callers,
        "mb_each": significant(sizes[0] / 1e6, 3),
        "memory_added_mb": significant(meter.added.rss / 1e6, 3),
        "first_byte_s_median": significant(median(first), 3),
        "whole_s_median": significant(median(whole), 3),
        "complete": sum(size == sizes[0] for size in sizes),
    }


async def _read_all(url: str, callers: int) -> list[tuple[float, float, int]]:
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        return await asyncio.gather(*(_read(session, url) for _ in range(callers)))


async def _read(session: aiohttp.ClientSession, url: str) -> tuple[float, float, int]:
    """Seconds to the first byte, seconds to the last, bytes."""
    began = time.perf_counter()
    first, size = 0.0, 0
    async with session.get(url) as answer:
        answer.raise_for_status()
        async for piece in answer.content.iter_any():
            first = first or time.perf_counter() - began
            size += len(piece)
    return first, time.perf_counter() - began, size


def _notes(rows: list[Row]) -> list[str]:
    most = [row for row in rows if row["callers"] == rows[-1]["callers"]]
    said = "; ".join(f"{row['variant']}: {cell(row['memory_added_mb'])} MB" for row in most)
    return [
        "Each caller asks a relay, which asks the upstream for one large body and passes it on. "
        "All callers begin at once and read as fast as they can. Relay and upstream are processes "
        "of their own; the callers share one. One run each. Memory is what the relay's process "
        "added to its idle size, at the peak.",
        f"With {most[0]['callers']} callers of {cell(most[0]['mb_each'])} MB each: {said}.",
    ]
