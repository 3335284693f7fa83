only_four = threading.Semaphore(4)


def in_turn(function, *arguments):
    with only_four:
        return function(*arguments)


async def four_at_once(function, *arguments):
    return await anyio.to_thread.run_sync(in_turn, function, *arguments)
