permits = {name: asyncio.Semaphore(2) for name in SOURCES}


async def ask(client, name):
    async with permits[name]:
        call = client.get(f"/{name}")
    return (await call).text
