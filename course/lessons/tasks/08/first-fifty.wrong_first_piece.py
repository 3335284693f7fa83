async def first_fifty(client, url):
    async with client.stream("GET", url) as response:
        async for piece in response.aiter_text():
            return piece[:50]
