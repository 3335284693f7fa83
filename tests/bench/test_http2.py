"""The study of HTTP/2: what it counts does not depend on how fast the machine is."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import httpx2
import pytest

from bench import garbage, http2
from bench.h2_upstream import H2Upstream


def test_one_connection_carries_a_hundred_calls_and_no_more() -> None:
    found = http2.study("tiny").rows
    rows = {(row["client"], row["max_connections"], row["speaks"]): row for row in found}
    for module in ("httpx", "httpx2"):
        one = rows[f"1 {module}.AsyncClient", 1000, "HTTP/2"]
        assert (one["connections"], one["calls_in_flight_peak"]) == (1, 100)
        ten = rows[f"10 {module}.AsyncClients", 1000, "HTTP/2"]
        assert (ten["connections"], ten["calls_in_flight_peak"]) == (10, 150)
    over_http1 = rows["1 httpx.AsyncClient", 1000, "HTTP/1.1"]
    assert over_http1["connections"] >= over_http1["calls_in_flight_peak"] > 1


@pytest.mark.parametrize("module", [httpx, httpx2])
def test_no_timeout_bounds_the_wait_for_a_stream(module: Any) -> None:
    async def test() -> None:
        with H2Upstream(60.0) as upstream:
            async with module.AsyncClient(http1=False, http2=True, timeout=None) as client:
                held = [asyncio.create_task(client.get(upstream.url)) for _ in range(100)]
                while (await asyncio.to_thread(lambda: upstream.counts)).in_flight < 100:
                    pass
                late = asyncio.create_task(client.get(upstream.url, timeout=0.1))
                done, _ = await asyncio.wait({late}, timeout=1)
                assert not done
                for task in (late, *held):
                    task.cancel()
                await asyncio.gather(late, *held, return_exceptions=True)

    asyncio.run(test())


def test_stock_httpx_leaves_objects_to_the_collector_and_httpx2_none() -> None:
    left = {row["client"]: row["objects_per_call"] for row in garbage.study("tiny").rows}
    assert left["httpx"] > 10
    assert left["HttpxAiohttpClient"] > 10
    assert left["httpx2"] < 1
    assert left["Httpx2AiohttpClient"] < 1
    assert left["aiohttp"] < 1
