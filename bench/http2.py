"""How many calls HTTPX makes at once over HTTP/2, whatever its limits say."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import httpx
import httpx2

from bench.h2_upstream import H2Upstream
from bench.report import Report, cell, middle, significant, spread
from unblocked.rig import Upstream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.report import Row, Size

_DELAY = 0.2
_PATIENT = 2.0
"""Seconds in the tiny size, which is a test: all calls are sent before the first is answered."""
_STREAMS = 1000
_WAYS: tuple[tuple[Any, bool, int, int], ...] = (
    (httpx, False, 1000, 1),
    (httpx, True, 100, 1),
    (httpx, True, 1000, 1),
    (httpx2, True, 1000, 1),
    (httpx, True, 1000, 10),
    (httpx2, True, 1000, 10),
)
"""Module, whether HTTP/2, `max_connections`, and how many clients are asked in turn."""
_AT_ONCE = {"tiny": 150, "quick": 500, "full": 1000}
_ROUNDS = {"tiny": 1, "quick": 5, "full": 9}


def study(size: Size) -> Report:
    """Connections opened, calls in flight, and the seconds until all are answered."""
    many = _AT_ONCE[size]
    found: dict[int, list[Row]] = {number: [] for number in range(len(_WAYS))}
    for _ in range(_ROUNDS[size]):
        for number, way in enumerate(_WAYS):
            delay = _PATIENT if size == "tiny" else _DELAY
            found[number].append(asyncio.run(_burst(way, many, delay)))
    rows = [_row(way, found[number]) for number, way in enumerate(_WAYS)]
    return Report(
        title="HTTP/2: how many calls at once",
        rows=rows,
        notes=_notes(rows, many),
        figures={
            "calls in flight over one HTTP/2 client": rows[2]["calls_in_flight_peak"],
            "connections of one HTTP/2 client": rows[2]["connections"],
            "calls in flight over ten HTTP/2 clients": rows[4]["calls_in_flight_peak"],
        },
    )


async def _burst(way: tuple[Any, bool, int, int], many: int, delay: float) -> Row:
    """So many calls at once, the connections opened by a call each."""
    module, over_http2, most, clients = way
    make = H2Upstream(delay, streams=_STREAMS) if over_http2 else Upstream(delay=delay)
    limits = module.Limits(max_connections=most, max_keepalive_connections=most)
    with make as upstream:
        async with AsyncExitStack() as stack:
            opened = [
                await stack.enter_async_context(
                    module.AsyncClient(
                        http1=not over_http2, http2=over_http2, limits=limits, timeout=60
                    )
                )
                for _ in range(clients)
            ]
            await asyncio.gather(*(client.get(upstream.url) for client in opened))
            began = time.perf_counter()
            asked = (opened[i % clients].get(upstream.url) for i in range(many))
            answers = await asyncio.gather(*asked)
            seconds = time.perf_counter() - began
        counts = upstream.counts
    return {
        "peak": counts.peak,
        "connections": counts.opened,
        "seconds": seconds,
        "versions": {answer.http_version for answer in answers},
    }


def _row(way: tuple[Any, bool, int, int], found: Sequence[Row]) -> Row:
    module, _, most, clients = way
    versions = set().union(*(row["versions"] for row in found))
    seconds = [significant(row["seconds"], 3) for row in found]
    return {
        "client": _named(clients, module),
        "speaks": ", ".join(sorted(versions)),
        "max_connections": most,
        "connections": max(row["connections"] for row in found),
        "calls_in_flight_peak": max(row["peak"] for row in found),
        "seconds_until_all_are_answered": middle(seconds, 3),
        "spread": spread(seconds),
    }


def _named(clients: int, module: Any) -> str:
    return f"{clients} {module.__name__}.AsyncClient{'s' * (clients > 1)}"


def _notes(rows: Sequence[Row], many: int) -> list[str]:
    one = rows[2]
    return [
        f"{many} calls at once to an upstream that answers after {_DELAY * 1000:.0f} ms and allows "
        f"{_STREAMS:,} streams for each connection. HTTP/2 is spoken in the clear, by "
        "`http1=False, http2=True`; over TLS both sides agree on it in the handshake. The counts "
        "are the upstream's own; the seconds are those of one process, so they say what comes in "
        "waves and no more.",
        f"With `max_connections={one['max_connections']}` one client opened {one['connections']} "
        f"connection and had at most {cell(one['calls_in_flight_peak'])} calls in flight.",
        "**Why.** HTTPCore gives every call to one origin to the HTTP/2 connection that is there: "
        "`is_available()` asks whether it is open, not whether a stream is free "
        "(`httpcore/_async/http2.py`), so that no second connection is opened. On that connection "
        "a semaphore counts streams. It allows the smaller of what the server announces and of "
        "what HTTPCore announces itself, which is 100 "
        "(`_send_connection_init`, `_receive_remote_settings_change`). httpcore2 does the same.",
        "So `max_connections` says nothing about calls to one origin over HTTP/2. Who needs more "
        "than 100 at once opens more clients.",
    ]
