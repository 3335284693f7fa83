async def ask(client, url, seconds):
    try:
        async with asyncio.timeout(seconds):
            return (await client.get(url)).raise_for_status().text
    except TimeoutError:
        return "timeout"
    except httpx.HTTPError:
        return "error"
