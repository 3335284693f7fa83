# caught by: fifty pauses cost no thread
import asyncio
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import httpx
from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=60) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


limiter = anyio.CapacityLimiter(4)


@app.get("/legacy/{key}")
async def legacy(key: str):
    return {"value": await anyio.to_thread.run_sync(legacy_lookup, key, limiter=limiter)}


@app.get("/crunch/{n}")
def crunched(n: int):
    return {"value": crunch(n)}


one = asyncio.Lock()


@app.get("/pause")
async def pause(request: Request):
    async with one:
        await request.state.client.get(URL)
    return {"paused": True}
