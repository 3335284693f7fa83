async def three_at_once(client):
    return [asyncio.ensure_future(client.get(upstream.url)) for _ in range(3)]
