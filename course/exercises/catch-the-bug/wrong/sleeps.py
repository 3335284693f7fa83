# caught by: calls wait for one another
# A pause is a guess: an app that takes its time has not begun yet.
import asyncio

import httpx


async def get(url, path="/"):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url + path)


async def test_five_at_once(url, upstream):
    upstream.hold()
    caller = asyncio.create_task(get(url))
    await asyncio.sleep(0.3)
    assert upstream.in_flight == 5
    upstream.release()
    await caller


async def test_ten_connections(url, upstream):
    upstream.hold()
    callers = [asyncio.create_task(get(url)) for _ in range(10)]
    await asyncio.sleep(1)
    assert upstream.connections == 10
    upstream.release()
    await asyncio.gather(*callers)


async def test_nothing_stays_open(url, upstream):
    upstream.hold(after=60)
    await get(url)
    await asyncio.sleep(0.1)
    assert upstream.in_flight == 0
