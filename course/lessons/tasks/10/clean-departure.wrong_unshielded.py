async def feed(tasks):
    try:
        for next_one in asyncio.as_completed(tasks):
            yield await next_one
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
