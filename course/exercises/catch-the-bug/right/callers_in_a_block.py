"""A block that starts callers and never leaves one behind; assertions with words."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import httpx


@asynccontextmanager
async def callers(url, count=1, path="/"):
    async with httpx.AsyncClient(base_url=url, timeout=None, limits=httpx.Limits()) as client:
        tasks = [asyncio.create_task(client.get(path)) for _ in range(count)]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def expect_answer(url, status):
    async with callers(url) as (caller,):
        reply = await caller
    assert reply.status_code == status, f"{reply.status_code}, not {status}"
    return reply


async def expect_released(upstream, when):
    await upstream.settled()
    assert upstream.in_flight == 0, f"{upstream.in_flight} calls in flight {when}"


def expect_lines(replies, upstream):
    lines = Counter(line for reply in replies for line in reply.text.splitlines())
    assert lines == Counter(text[:50] for text in upstream.texts), "other lines than the texts begin with"


async def test_one_caller(url, upstream):
    upstream.hold()
    async with callers(url) as tasks:
        await upstream.held(5)
        upstream.hold(after=20)
        await upstream.settled()
        upstream.release()
        expect_lines(await asyncio.gather(*tasks), upstream)


async def test_ten_callers(url, upstream):
    upstream.hold()
    async with callers(url, 10) as tasks:
        await upstream.held(10)
        await upstream.settled()
        assert upstream.connections == 10, f"{upstream.connections} connections"
        upstream.hold(after=60)
        expect_lines(await asyncio.gather(*tasks), upstream)
    await expect_released(upstream, "after ten answers")


async def test_every_misfortune(url, upstream):
    for happens in (lambda: upstream.fail(1, 400), lambda: upstream.fail(1, 503), upstream.lose):
        upstream.hold()
        async with callers(url) as (caller,):
            await upstream.held(5)
            happens()
            await upstream.settled()
            upstream.release()
            reply = await caller
        assert reply.status_code == 502, f"{reply.status_code}, not 502"
        await expect_released(upstream, "after a failure")
    upstream.hold()
    async with callers(url, 10) as tasks:
        await upstream.held(10)
        upstream.release()
        assert {reply.status_code for reply in await asyncio.gather(*tasks)} == {200}


async def test_who_leaves_leaves_nothing(url, upstream):
    upstream.hold(after=20)
    async with callers(url, 2):
        await upstream.held(10)
        await upstream.settled()
    await upstream.settled()
    upstream.release()
    await expect_released(upstream, "after both callers left")


async def test_nobody_is_kept_waiting(url, upstream):
    upstream.hold()
    async with callers(url), callers(url, path="/elsewhere") as (other,):
        await upstream.held(1)
        assert (await other).status_code == 404


async def test_connections(url, upstream):
    upstream.size = 31
    await expect_answer(url, 200)
    opened = upstream.opened
    await expect_answer(url, 200)
    assert upstream.opened < opened + 5, "a client for each request"
    await upstream.stop_app()
    assert upstream.connections == 0, "the client was not closed"
