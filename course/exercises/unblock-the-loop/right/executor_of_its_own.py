"""A pool of four for the library, the default executor for the rest, a client per request"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app):
    with ThreadPoolExecutor(max_workers=4, thread_name_prefix="legacy") as app.state.library:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/legacy/{key}")
async def legacy(key: str):
    loop = asyncio.get_running_loop()
    return {"value": await loop.run_in_executor(app.state.library, legacy_lookup, key)}


@app.get("/crunch/{n}")
async def crunched(n: int):
    return {"value": await asyncio.to_thread(crunch, n)}


@app.get("/pause")
async def pause():
    async with httpx.AsyncClient() as client:
        await client.get(URL)
    return {"paused": True}
