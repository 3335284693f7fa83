async def first_fifty(client, url):
    response = await client.send(client.build_request("GET", url), stream=True)
    text = ""
    async for piece in response.aiter_text():
        text += piece
        if len(text) >= 50:
            break
    return text[:50]
