async def in_pool(pool, function):
    return await asyncio.to_thread(function)
