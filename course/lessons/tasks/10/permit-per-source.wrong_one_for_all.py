permits = dict.fromkeys(SOURCES, asyncio.Semaphore(2))


async def ask(client, name):
    async with permits[name]:
        return (await client.get(f"/{name}")).text
