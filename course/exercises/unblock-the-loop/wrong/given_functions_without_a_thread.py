# caught by: others are answered while lookups are held
# where the given functions call is taken out of them, and asked by an async client: no thread at all
import asyncio
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx
from fastapi import FastAPI, Request

PLACE = legacy_lookup.__closure__[0].cell_contents.__closure__[0].cell_contents.geturl()


@asynccontextmanager
async def lifespan(app: FastAPI):
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=None, limits=limits) as client:
        yield {"client": client, "places": asyncio.Semaphore(4)}


app = FastAPI(lifespan=lifespan)


@app.get("/legacy/{key}")
async def legacy(key: str, request: Request):
    async with request.state.places:
        answer = await request.state.client.get(f"{PLACE}/legacy/{quote(key, safe='')}")
    return {"value": answer.text}


@app.get("/crunch/{n}")
async def crunched(n: int, request: Request):
    answer = await request.state.client.get(f"{PLACE}/crunch/{n}")
    return {"value": int(answer.text)}


@app.get("/pause")
async def pause(request: Request):
    await request.state.client.get(URL)
    return {"paused": True}
