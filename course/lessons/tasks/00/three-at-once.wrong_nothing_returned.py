async def three_at_once(client):
    await asyncio.gather(*[client.get(upstream.url) for _ in range(3)])
