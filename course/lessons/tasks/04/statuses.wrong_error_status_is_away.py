async def statuses(client, urls):
    outcomes = await asyncio.gather(*(client.get(url) for url in urls), return_exceptions=True)
    return ["away" if isinstance(o, Exception) or o.is_error else o.status_code for o in outcomes]
