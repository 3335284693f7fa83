async def first_fifty(client, url):
    text = ""
    async with client.stream("GET", url) as response:
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= 50:
                break
    return text[:50]
