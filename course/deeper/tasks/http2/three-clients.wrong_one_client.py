async def spread(clients, url, many):
    return await asyncio.gather(*(clients[0].get(url) for _ in range(many)))
