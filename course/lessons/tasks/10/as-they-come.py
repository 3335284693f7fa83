async def lines(tasks):
    for next_one in asyncio.as_completed(tasks):
        yield await next_one
