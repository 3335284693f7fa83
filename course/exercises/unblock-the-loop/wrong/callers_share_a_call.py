# caught by: the same answers as before
import asyncio
from contextlib import asynccontextmanager

import anyio
import httpx
from fastapi import FastAPI, Request

under_way = {}


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=60) as client:
        yield {"client": client, "limiter": anyio.CapacityLimiter(4)}


app = FastAPI(lifespan=lifespan)


async def shared(name, function, argument, limiter=None):
    # whoever asks for the same key at the same time waits for the same call
    key = (name, argument)
    if key not in under_way:
        call = anyio.to_thread.run_sync(function, argument, limiter=limiter)
        under_way[key] = asyncio.ensure_future(call)
        under_way[key].add_done_callback(lambda _: under_way.pop(key))
    return await asyncio.shield(under_way[key])


@app.get("/legacy/{key}")
async def legacy(key: str, request: Request):
    return {"value": await shared("legacy", legacy_lookup, key, request.state.limiter)}


@app.get("/crunch/{n}")
async def crunched(n: int):
    return {"value": await shared("crunch", crunch, n)}


@app.get("/pause")
async def pause(request: Request):
    await request.state.client.get(URL)
    return {"paused": True}
