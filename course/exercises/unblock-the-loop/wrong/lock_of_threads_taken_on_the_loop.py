# caught by: others are answered while lookups are held
import threading
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=60) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


places = threading.Semaphore(4)


@app.get("/legacy/{key}")
async def legacy(key: str):
    with places:
        return {"value": await run_in_threadpool(legacy_lookup, key)}


@app.get("/crunch/{n}")
def crunched(n: int):
    return {"value": crunch(n)}


@app.get("/pause")
async def pause(request: Request):
    await request.state.client.get(URL)
    return {"paused": True}
