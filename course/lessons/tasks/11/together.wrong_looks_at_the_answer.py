async def test_together(url, upstream):
    async with httpx.AsyncClient(timeout=None) as client:
        assert (await client.get(url)).status_code == 200
    assert upstream.calls == 5
