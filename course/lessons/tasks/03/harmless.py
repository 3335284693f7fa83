def wait_for_it(gate):
    return gate.wait(timeout=5)


async def patiently(gate):
    return await asyncio.to_thread(wait_for_it, gate)
