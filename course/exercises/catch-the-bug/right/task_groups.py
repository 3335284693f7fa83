"""anyio's task groups and a class of helpers; waits for the callers' answers as events."""

import anyio
import httpx


class Crowd:
    def __init__(self, url, group):
        self.url, self.group, self.replies = url, group, []
        self.scopes = []

    async def call(self, path, wanted):
        with anyio.CancelScope() as scope:
            self.scopes.append(scope)
            async with httpx.AsyncClient(base_url=self.url, timeout=None) as client:
                self.replies.append(await client.get(path))
        wanted.set()

    def come(self, count=1, path="/"):
        done = [anyio.Event() for _ in range(count)]
        for event in done:
            self.group.start_soon(self.call, path, event)
        return done

    async def answered(self, events):
        for event in events:
            await event.wait()
        return [reply.status_code for reply in self.replies]


async def test_side_by_side_and_right(url, upstream):
    upstream.hold()
    async with anyio.create_task_group() as group:
        crowd = Crowd(url, group)
        come = crowd.come()
        await upstream.held(5)
        crowd.come(path="/not-here")
        while not crowd.replies:
            await upstream.settled()
        assert crowd.replies.pop().status_code == 404
        upstream.hold(after=55)
        assert await crowd.answered(come) == [200]
    (reply,) = crowd.replies
    assert set(reply.text.splitlines()) == {text[:50] for text in upstream.texts}
    await upstream.settled()
    assert upstream.in_flight == 0


async def test_all_ten(url, upstream):
    upstream.hold()
    async with anyio.create_task_group() as group:
        crowd = Crowd(url, group)
        come = crowd.come(10)
        await upstream.held(10)
        await upstream.settled()
        assert (upstream.in_flight, upstream.connections) == (10, 10)
        upstream.hold(after=55)
        assert await crowd.answered(come) == [200] * 10


async def test_fails_and_goes_on(url, upstream):
    async with anyio.create_task_group() as group:
        for times in range(1, 4):
            upstream.hold()
            crowd = Crowd(url, group)
            come = crowd.come()
            await upstream.held(5)
            upstream.fail(n=times, status=404)
            await upstream.settled()
            upstream.release()
            assert await crowd.answered(come) == [502]
            await upstream.settled()
            assert upstream.in_flight == 0
        upstream.lose()
        crowd = Crowd(url, group)
        assert await crowd.answered(crowd.come()) == [502]
        upstream.release()
        crowd = Crowd(url, group)
        assert await crowd.answered(crowd.come()) == [200]


async def test_leaves(url, upstream):
    upstream.hold(after=20)
    async with anyio.create_task_group() as group:
        crowd = Crowd(url, group)
        crowd.come()
        await upstream.held(5)
        await upstream.settled()
        crowd.scopes[0].cancel()
    await upstream.settled()
    upstream.release()
    await upstream.settled()
    assert upstream.in_flight == 0


async def test_short_texts(url, upstream):
    upstream.size = 12
    async with anyio.create_task_group() as group:
        for _ in range(2):
            crowd = Crowd(url, group)
            assert await crowd.answered(crowd.come()) == [200]
    assert upstream.opened < 10
    await upstream.stop_app()
    assert upstream.connections == 0
