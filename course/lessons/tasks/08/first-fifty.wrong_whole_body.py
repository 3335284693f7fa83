async def first_fifty(client, url):
    return (await client.get(url)).text[:50]
