import asyncio

import httpx


async def get(url, path="/"):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url + path)


def calling(url, callers=1):
    return [asyncio.create_task(get(url)) for _ in range(callers)]


async def statuses(callers):
    return {reply.status_code for reply in await asyncio.gather(*callers)}


async def expect_nothing_in_flight(upstream):
    await upstream.settled()
    assert upstream.in_flight == 0


async def test_five_calls_at_once(url, upstream):
    upstream.hold()
    callers = calling(url)
    await upstream.held(5)
    upstream.release()
    assert await statuses(callers) == {200}


async def test_lines(url, upstream):
    reply = await get(url)
    assert sorted(reply.text.splitlines()) == sorted(text[:50] for text in upstream.texts)
    assert upstream.calls == 5


async def test_bodies_are_not_waited_for(url, upstream):
    upstream.hold(after=60)
    assert (await get(url)).status_code == 200
    await expect_nothing_in_flight(upstream)


async def test_ten_callers_use_ten_connections(url, upstream):
    upstream.hold()
    callers = calling(url, 10)
    await upstream.held(10)
    await upstream.settled()
    assert upstream.connections == 10
    upstream.release()
    assert await statuses(callers) == {200}


async def test_callers_do_not_starve_one_another(url, upstream):
    upstream.hold(after=60)
    assert await statuses(calling(url, 10)) == {200}


async def test_one_call_fails(url, upstream):
    upstream.hold()
    callers = calling(url)
    await upstream.held(5)
    upstream.fail()
    await upstream.settled()
    upstream.release()
    assert await statuses(callers) == {502}
    await expect_nothing_in_flight(upstream)


async def test_calls_are_lost(url, upstream):
    upstream.hold()
    callers = calling(url)
    await upstream.held(5)
    upstream.lose()
    assert await statuses(callers) == {502}


async def test_works_after_failures(url, upstream):
    upstream.lose()
    for _ in range(3):
        assert (await get(url)).status_code == 502
    upstream.release()
    assert (await get(url)).status_code == 200


async def test_caller_leaves(url, upstream):
    upstream.hold(after=20)
    (caller,) = calling(url)
    await upstream.held(5)
    await upstream.settled()
    caller.cancel()
    await upstream.settled()
    upstream.release()
    await expect_nothing_in_flight(upstream)


async def test_others_are_answered_meanwhile(url, upstream):
    upstream.hold()
    callers = calling(url)
    await upstream.held(5)
    assert (await get(url, "/nowhere")).status_code == 404
    upstream.release()
    await asyncio.gather(*callers)


async def test_one_client_that_is_closed(url, upstream):
    upstream.size = 30
    await get(url)
    await get(url)
    assert upstream.opened < 10
    await upstream.stop_app()
    assert upstream.connections == 0
