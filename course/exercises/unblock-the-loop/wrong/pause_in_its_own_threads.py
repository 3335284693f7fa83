# caught by: fifty pauses cost no thread
import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import httpx
from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app):
    with ThreadPoolExecutor(max_workers=64) as pool:
        yield {"pool": pool}


app = FastAPI(lifespan=lifespan)


limiter = anyio.CapacityLimiter(4)


@app.get("/legacy/{key}")
async def legacy(key: str):
    return {"value": await anyio.to_thread.run_sync(legacy_lookup, key, limiter=limiter)}


@app.get("/crunch/{n}")
def crunched(n: int):
    return {"value": crunch(n)}


@app.get("/pause")
async def pause(request: Request):
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(request.state.pool, lambda: httpx.get(URL, timeout=60))
    return {"paused": True}
