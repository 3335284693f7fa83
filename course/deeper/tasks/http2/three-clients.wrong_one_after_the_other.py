async def spread(clients, url, many):
    answers = []
    for client in clients:
        calls = (client.get(url) for _ in range(many // len(clients)))
        answers += await asyncio.gather(*calls)
    return answers
