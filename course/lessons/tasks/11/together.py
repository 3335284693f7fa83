async def test_together(url, upstream):
    upstream.hold()
    async with httpx.AsyncClient(timeout=None) as client:
        caller = asyncio.create_task(client.get(url))
        await upstream.held(5)
        upstream.release()
        assert (await caller).status_code == 200
