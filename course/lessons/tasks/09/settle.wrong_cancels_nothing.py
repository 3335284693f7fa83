async def settle(tasks, seconds):
    done, pending = await asyncio.wait(tasks, timeout=seconds)
    return [task.result() for task in done]
