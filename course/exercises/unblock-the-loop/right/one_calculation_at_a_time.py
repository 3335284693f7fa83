# Calculations one by one, which Python's own lock would make of them anyhow
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import httpx
from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient(timeout=60) as client:
        yield {"client": client, "places": anyio.CapacityLimiter(4)}


import threading

lock = threading.Lock()


def locked(n):
    with lock:
        return crunch(n)


app = FastAPI(lifespan=lifespan)


@app.get("/legacy/{key}")
async def legacy(key: str, request: Request):
    # A limiter of its own: its threads are counted apart from those of all other work.
    value = await anyio.to_thread.run_sync(legacy_lookup, key, limiter=request.state.places)
    return {"value": value}


@app.get("/crunch/{n}")
def crunched(n: int):
    return {"value": locked(n)}


@app.get("/pause")
async def pause(request: Request):
    await request.state.client.get(URL)
    return {"paused": True}
