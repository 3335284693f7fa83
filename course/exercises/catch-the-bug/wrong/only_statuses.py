# caught by: calls wait for one another
# Nothing but status codes, and nothing held: so nothing about what happens at once.
import asyncio

import httpx


async def get(url, path="/"):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url + path)


async def test_200(url, upstream):
    assert (await get(url)).status_code == 200


async def test_ten_times_200(url, upstream):
    replies = await asyncio.gather(*(get(url) for _ in range(10)))
    assert {reply.status_code for reply in replies} == {200}


async def test_502(url, upstream):
    upstream.lose()
    assert (await get(url)).status_code == 502
