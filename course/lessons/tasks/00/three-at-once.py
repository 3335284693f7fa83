async def three_at_once(client):
    return await asyncio.gather(*[client.get(upstream.url) for _ in range(3)])
