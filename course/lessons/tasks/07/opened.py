async def opened(request: Request):
    async with request.state.client.stream("GET", "/missing") as response:
        yield response
