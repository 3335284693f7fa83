async def opened(request: Request):
    client = request.state.client
    response = await client.send(client.build_request("GET", "/missing"), stream=True)
    yield response
    await response.aclose()
