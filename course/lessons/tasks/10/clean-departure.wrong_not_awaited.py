async def feed(calls):
    tasks = [asyncio.create_task(call) for call in calls]
    try:
        for next_one in asyncio.as_completed(tasks):
            yield await next_one
    finally:
        for each in tasks:
            each.cancel()
