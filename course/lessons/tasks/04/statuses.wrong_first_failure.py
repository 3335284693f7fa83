async def statuses(client, urls):
    responses = await asyncio.gather(*(client.get(url) for url in urls))
    return [response.status_code for response in responses]
