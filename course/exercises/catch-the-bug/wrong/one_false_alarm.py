# caught by: the lines are wrong
# A good test, and one that accuses right apps: the point of the first pays for it.
import asyncio

import httpx


async def get(url, path="/"):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url + path)


async def test_lines(url, upstream):
    reply = await get(url)
    assert sorted(reply.text.splitlines()) == sorted(text[:50] for text in upstream.texts)


async def test_in_order(url, upstream):
    reply = await get(url)
    assert reply.text.splitlines() == [text[:50] for text in upstream.texts]
