async def spread(clients, url, many):
    calls = (clients[i % len(clients)].get(url) for i in range(many))
    return await asyncio.gather(*calls)
