permits = {name: asyncio.Semaphore(2) for name in SOURCES}


async def ask(client, name):
    async with permits[name]:
        return (await client.get(f"/{name}")).text
