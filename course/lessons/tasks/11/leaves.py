async def test_caller_leaves(url, upstream):
    upstream.hold(after=20)
    async with calling(url) as caller:
        await upstream.settled()
        caller.cancel()
        await upstream.settled()
        upstream.release()
        await upstream.settled()
    assert upstream.in_flight == 0
