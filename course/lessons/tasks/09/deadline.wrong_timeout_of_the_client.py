async def within(client, url, seconds):
    return (await client.get(url, timeout=seconds)).text
