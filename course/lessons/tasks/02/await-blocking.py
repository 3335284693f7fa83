async def in_pool(pool, function):
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(pool, function)
