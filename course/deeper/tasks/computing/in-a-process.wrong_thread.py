async def elsewhere(pool, function, *arguments):
    return await asyncio.to_thread(function, *arguments)
