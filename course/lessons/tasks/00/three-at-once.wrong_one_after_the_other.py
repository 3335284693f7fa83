async def three_at_once(client):
    return [await client.get(upstream.url) for _ in range(3)]
