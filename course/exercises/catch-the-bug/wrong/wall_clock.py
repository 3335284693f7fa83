# caught by: calls wait for one another
# Seconds decide: one app takes three of its own, and is right.
import asyncio

import httpx


async def get(url, path="/"):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url + path)


import time


async def test_five_take_as_long_as_one(url, upstream):
    upstream.hold()
    began = time.perf_counter()
    caller = asyncio.create_task(get(url))
    for _ in range(5):
        await asyncio.sleep(0.1)
        upstream.release()
    await caller
    assert time.perf_counter() - began < 0.6


async def test_is_quick(url, upstream):
    async with asyncio.timeout(0.3):
        await get(url)
