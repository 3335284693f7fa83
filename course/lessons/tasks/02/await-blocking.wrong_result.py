async def in_pool(pool, function):
    return pool.submit(function).result()
