async def test_caller_leaves(url, upstream):
    upstream.hold(after=20)
    async with httpx.AsyncClient(timeout=None) as client:
        caller = asyncio.create_task(client.get(url))
        await upstream.held(5)
        await upstream.settled()
        caller.cancel()
        await upstream.settled()
        assert upstream.in_flight == 0
        upstream.release()
