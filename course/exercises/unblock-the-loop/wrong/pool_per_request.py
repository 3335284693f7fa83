# caught by: at most four lookups at once
import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=60) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/legacy/{key}")
async def legacy(key: str):
    with ThreadPoolExecutor(max_workers=4) as pool:
        value = await asyncio.get_running_loop().run_in_executor(pool, legacy_lookup, key)
    return {"value": value}


@app.get("/crunch/{n}")
def crunched(n: int):
    return {"value": crunch(n)}


@app.get("/pause")
async def pause(request: Request):
    await request.state.client.get(URL)
    return {"paused": True}
