"""asyncio.to_thread for both, with a Semaphore in front of the library"""

import asyncio

import httpx
from fastapi import FastAPI

app = FastAPI()
places = asyncio.BoundedSemaphore(4)


@app.get("/legacy/{key}")
async def legacy(key: str):
    async with places:
        value = await asyncio.to_thread(legacy_lookup, key)
    return {"value": value}


@app.get("/crunch/{n}")
async def crunched(n: int):
    value = await asyncio.to_thread(crunch, n)
    return {"value": value}


@app.get("/pause")
async def pause():
    async with httpx.AsyncClient(timeout=None) as client:
        response = await client.get(URL)
        response.raise_for_status()
    return {"paused": True}
