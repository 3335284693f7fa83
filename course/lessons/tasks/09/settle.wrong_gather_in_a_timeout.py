async def settle(tasks, seconds):
    async with asyncio.timeout(seconds):
        return await asyncio.gather(*tasks)
