# caught by: calls wait for one another
# The same guess, made in a way that also blocks the test.
import asyncio

import httpx


async def get(url, path="/"):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url + path)


import time


async def test_five_at_once(url, upstream):
    upstream.hold()
    caller = asyncio.create_task(get(url))
    await asyncio.sleep(0)
    time.sleep(0.3)
    assert upstream.in_flight == 5
    upstream.release()
    await caller


async def test_ten_connections(url, upstream):
    upstream.hold()
    callers = [asyncio.create_task(get(url)) for _ in range(10)]
    await asyncio.to_thread(time.sleep, 0.5)
    assert upstream.connections == 10
    upstream.release()
    await asyncio.gather(*callers)
