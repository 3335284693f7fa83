async def ask(client, url, seconds):
    try:
        return (await client.get(url, timeout=seconds)).raise_for_status().text
    except httpx.TimeoutException:
        return "timeout"
    except httpx.HTTPError:
        return "error"
