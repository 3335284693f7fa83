"""Calculations in a process; HTTPX on top of aiohttp"""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI, Request
from httpx_aiohttp import HttpxAiohttpClient


@asynccontextmanager
async def lifespan(app):
    # "fork", so that the process knows a function that was defined in a notebook.
    forked = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, mp_context=forked) as pool:
        async with HttpxAiohttpClient(timeout=60) as client:
            yield {"pool": pool, "client": client, "limiter": anyio.CapacityLimiter(4)}


app = FastAPI(lifespan=lifespan)


@app.get("/legacy/{key}")
async def legacy(key: str, request: Request):
    state = request.state
    return {"value": await anyio.to_thread.run_sync(legacy_lookup, key, limiter=state.limiter)}


@app.get("/crunch/{n}")
async def crunched(n: int, request: Request):
    loop = asyncio.get_running_loop()
    return {"value": await loop.run_in_executor(request.state.pool, crunch, n)}


@app.get("/pause")
async def pause(request: Request):
    await request.state.client.get(URL)
    return {"paused": True}
