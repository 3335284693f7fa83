async def within(client, url, seconds):
    with anyio.move_on_after(seconds):
        return (await client.get(url)).text
