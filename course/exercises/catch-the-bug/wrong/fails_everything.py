# caught by: the lines are wrong
# Accuses everybody.
import asyncio

import httpx


async def get(url, path="/"):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url + path)


async def test_everything(url, upstream):
    await upstream.held(5)  # nobody called
