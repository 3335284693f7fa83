async def four_at_once(function, *arguments):
    anyio.to_thread.current_default_thread_limiter().total_tokens = 4
    return await anyio.to_thread.run_sync(function, *arguments)
