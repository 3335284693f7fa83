# caught by: others are answered while lookups are held
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=60) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


pool = ThreadPoolExecutor(max_workers=4)


@app.get("/legacy/{key}")
async def legacy(key: str):
    return {"value": pool.submit(legacy_lookup, key).result()}


@app.get("/crunch/{n}")
def crunched(n: int):
    return {"value": crunch(n)}


@app.get("/pause")
async def pause(request: Request):
    await request.state.client.get(URL)
    return {"paused": True}
