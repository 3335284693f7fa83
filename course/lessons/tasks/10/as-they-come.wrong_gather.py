async def lines(tasks):
    for result in await asyncio.gather(*tasks):
        yield result
