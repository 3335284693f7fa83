async def within(client, url, seconds):
    async with asyncio.timeout(seconds):
        return (await client.get(url)).text
