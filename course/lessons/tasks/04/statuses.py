async def statuses(client, urls):
    outcomes = await asyncio.gather(*(client.get(url) for url in urls), return_exceptions=True)
    return ["away" if isinstance(one, httpx.HTTPError) else one.status_code for one in outcomes]
