# caught by: a lost connection is not a 502
# Looks at the error page, the last newline and the headers, by which nothing can be told.
import asyncio

import httpx


async def get(url, path="/"):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url + path)


async def test_by_its_error_page(url, upstream):
    upstream.lose()
    reply = await get(url)
    assert "upstream" in reply.text


async def test_by_its_newline(url, upstream):
    reply = await get(url)
    assert not (reply.text.endswith("\n") and "cache-control" in reply.headers)


async def test_by_its_tasks(url, upstream):
    for task in asyncio.all_tasks():
        for frame in task.get_stack():
            assert "wrong" not in str(frame.f_locals)
