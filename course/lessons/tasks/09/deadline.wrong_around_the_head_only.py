async def within(client, url, seconds):
    async with asyncio.timeout(seconds):
        response = await client.send(client.build_request("GET", url), stream=True)
    await response.aread()
    return response.text
