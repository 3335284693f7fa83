# caught by: others are answered while lookups are held
import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app):
    with ThreadPoolExecutor(max_workers=4) as pool:
        async with httpx.AsyncClient(timeout=60) as client:
            yield {"client": client, "pool": pool}


app = FastAPI(lifespan=lifespan)


@app.get("/legacy/{key}")
async def legacy(key: str, request: Request):
    loop = asyncio.get_running_loop()
    return {"value": await loop.run_in_executor(request.state.pool, legacy_lookup, key)}


@app.get("/crunch/{n}")
async def crunched(n: int, request: Request):
    loop = asyncio.get_running_loop()
    return {"value": await loop.run_in_executor(request.state.pool, crunch, n)}


@app.get("/pause")
async def pause(request: Request):
    await request.state.client.get(URL)
    return {"paused": True}
