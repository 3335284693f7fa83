async def all_at_once(client, paths):
    responses = await asyncio.gather(*(client.get(path) for path in paths))
    return [response.json() for response in responses]
