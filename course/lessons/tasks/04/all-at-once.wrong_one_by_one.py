async def all_at_once(client, paths):
    return [(await client.get(path)).json() for path in paths]
