async def ask(client, url, seconds):
    try:
        async with asyncio.timeout(seconds):
            return (await client.get(url)).text
    except TimeoutError:
        return "timeout"
    except httpx.HTTPError:
        return "error"
