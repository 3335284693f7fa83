async def elsewhere(pool, function, *arguments):
    return pool.submit(function, *arguments).result()
