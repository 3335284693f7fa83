# caught by: the loop is blocked
# Counts the threads of the process that the test runs in, which is not the app's.
import asyncio

import httpx


async def get(url, path="/"):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url + path)


import threading


async def test_no_thread_per_call(url, upstream):
    before = threading.active_count()
    upstream.hold()
    caller = asyncio.create_task(get(url))
    await upstream.held(1)
    assert threading.active_count() - before <= 1
    upstream.release()
    await caller
