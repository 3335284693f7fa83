# caught by: calls wait for one another
# Looks busy, and asserts nothing that could fail.
import asyncio

import httpx


async def get(url, path="/"):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url + path)


async def test_at_once(url, upstream):
    upstream.hold()
    caller = asyncio.create_task(get(url))
    try:
        await upstream.held(5)
    except AssertionError:
        pass
    upstream.release()
    caller.cancel()


async def test_answers(url, upstream):
    assert upstream.calls >= 0
