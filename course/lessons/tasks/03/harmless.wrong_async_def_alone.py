def wait_for_it(gate):
    return gate.wait(timeout=5)


async def patiently(gate):
    return wait_for_it(gate)
