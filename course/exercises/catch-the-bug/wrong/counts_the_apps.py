# caught by: calls wait for one another
# Remembers how many apps it has seen: each has a process of its own.
import asyncio

import httpx


async def get(url, path="/"):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url + path)


SEEN = []


async def test_later_ones_are_wrong(url, upstream):
    SEEN.append(url)
    assert len(SEEN) < 8
    await get(url)
