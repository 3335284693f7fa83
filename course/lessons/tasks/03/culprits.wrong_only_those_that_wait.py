async def napping():
    await asyncio.sleep(0.3)


async def hidden():
    return [len(text) for text in map(legacy_lookup, ["ada", "bob"])]


async def crunching():
    return sum(number * number for number in range(5_000_000))


async def threaded():
    return await asyncio.to_thread(legacy_lookup, "ada")


culprits = {"hidden"}
