# caught by: callers wait for one another
# Good tests, and never more than one caller.
import asyncio

import httpx


async def get(url, path="/"):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url + path)


async def test_five_at_once(url, upstream):
    upstream.hold()
    caller = asyncio.create_task(get(url))
    await upstream.held(5)
    upstream.release()
    assert (await caller).status_code == 200


async def test_lines(url, upstream):
    reply = await get(url)
    assert sorted(reply.text.splitlines()) == sorted(text[:50] for text in upstream.texts)
