only_four = anyio.CapacityLimiter(4)


async def four_at_once(function, *arguments):
    return await anyio.to_thread.run_sync(function, *arguments, limiter=only_four)
