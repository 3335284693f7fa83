# caught by: calls wait for one another
# A deadline of a second is a clock, too.
import asyncio

import httpx


async def get(url, path="/"):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url + path)


async def test_five_at_once(url, upstream):
    upstream.hold()
    caller = asyncio.create_task(get(url))
    for _ in range(100):
        if upstream.in_flight == 5:
            break
        await asyncio.sleep(0.01)
    assert upstream.in_flight == 5
    upstream.release()
    await caller
