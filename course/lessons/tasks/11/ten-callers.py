async def test_ten_callers(url, upstream):
    upstream.hold()
    async with httpx.AsyncClient(timeout=None) as client:
        callers = [asyncio.create_task(client.get(url)) for _ in range(10)]
        await upstream.settled()
        assert upstream.connections == 10
        upstream.release()
        await asyncio.gather(*callers)
