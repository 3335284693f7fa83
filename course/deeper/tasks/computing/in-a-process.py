async def elsewhere(pool, function, *arguments):
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(pool, function, *arguments)
