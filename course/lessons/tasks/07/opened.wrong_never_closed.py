async def opened(request: Request):
    client = request.state.client
    yield await client.send(client.build_request("GET", "/missing"), stream=True)
