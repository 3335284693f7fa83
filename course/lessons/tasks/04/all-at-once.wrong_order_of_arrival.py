async def all_at_once(client, paths):
    calls = [client.get(path) for path in paths]
    return [(await done).json() for done in asyncio.as_completed(calls)]
