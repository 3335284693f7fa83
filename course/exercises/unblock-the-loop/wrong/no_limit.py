# caught by: at most four lookups at once
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=60) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/legacy/{key}")
def legacy(key: str):
    return {"value": legacy_lookup(key)}


@app.get("/crunch/{n}")
def crunched(n: int):
    return {"value": crunch(n)}


@app.get("/pause")
async def pause(request: Request):
    await request.state.client.get(URL)
    return {"paused": True}
