"""Few long tests, each a day in the app's life; a caller on a bare socket; "at most" by waiting in vain."""

import asyncio

import httpx


async def test_a_good_day(url, upstream):
    async with httpx.AsyncClient(base_url=url, timeout=None) as client:
        upstream.hold()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(client.get("/"))
            await upstream.held(5)
            others = [group.create_task(client.get("/")) for _ in range(9)]
            await upstream.held(10)
            try:
                await upstream.held(11)
            except AssertionError:
                pass
            else:
                raise AssertionError("more than ten calls in flight")
            assert (await client.get("/health?")).status_code in (404, 405)
            upstream.hold(60)
        lines = [line for task in [first, *others] for line in task.result().text.split("\n") if line]
        assert len(lines) == 50
        assert set(lines) == {text[:50] for text in upstream.texts}
        await upstream.settled()
        assert not upstream.in_flight


async def test_a_bad_day(url, upstream):
    async with httpx.AsyncClient(base_url=url, timeout=None) as client:
        for bad in (upstream.fail, upstream.lose, upstream.fail):
            upstream.hold()
            caller = asyncio.ensure_future(client.get("/"))
            await upstream.held(5)
            bad()
            await upstream.settled()
            if bad == upstream.fail:
                upstream.hold(10)
                await upstream.settled()
            upstream.release()
            assert (await caller).status_code == 502
            await upstream.settled()
            assert not upstream.in_flight
        assert (await client.get("/")).status_code == 200


async def test_somebody_hangs_up(url, upstream):
    upstream.hold(10)
    host, port = url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    await upstream.held(5)
    writer.close()
    await upstream.settled()
    upstream.release()
    await upstream.settled()
    assert not upstream.in_flight


async def test_the_end(url, upstream):
    upstream.size = 40
    async with httpx.AsyncClient(base_url=url, timeout=None) as client:
        for _ in range(3):
            assert len((await client.get("/")).text.split()) == 5
    assert upstream.opened <= 10
    await upstream.stop_app()
    assert not upstream.connections
