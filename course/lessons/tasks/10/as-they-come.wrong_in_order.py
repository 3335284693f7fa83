async def lines(tasks):
    for each in tasks:
        yield await each
