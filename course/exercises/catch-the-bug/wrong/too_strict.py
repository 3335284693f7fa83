# caught by: a failing call leaves streams open
# Asks for more than is promised: an order, a header, and that siblings are cancelled at once.
import asyncio

import httpx


async def get(url, path="/"):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url + path)


async def test_order_of_lines(url, upstream):
    reply = await get(url)
    assert reply.text.splitlines() == [text[:50] for text in upstream.texts]


async def test_no_newline_at_the_end(url, upstream):
    assert (await get(url)).text.count("\n") == 4


async def test_siblings_are_cancelled_at_once(url, upstream):
    upstream.hold()
    caller = asyncio.create_task(get(url))
    await upstream.held(5)
    upstream.fail()
    await upstream.settled()
    assert upstream.in_flight == 0
    upstream.release()
    assert (await caller).status_code == 502


async def test_leaving_cancels(url, upstream):
    upstream.hold()
    caller = asyncio.create_task(get(url))
    await upstream.held(5)
    caller.cancel()
    await upstream.settled()
    assert upstream.in_flight == 0
