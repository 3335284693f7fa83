async def feed(calls):
    tasks = [asyncio.create_task(call) for call in calls]
    for next_one in asyncio.as_completed(tasks):
        yield await next_one
