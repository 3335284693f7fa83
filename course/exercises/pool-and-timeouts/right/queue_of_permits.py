# ten permits in a queue, waited for with asyncio.wait_for
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    free = asyncio.LifoQueue()
    async with httpx.AsyncClient(
        timeout=httpx.Timeout(2, pool=None), limits=httpx.Limits(max_connections=10)
    ) as client:
        for n in range(10):
            free.put_nowait(n)
        yield {"client": client, "free": free}


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    free = request.state.free
    try:
        token = await asyncio.wait_for(free.get(), timeout=1)
    except asyncio.TimeoutError:
        raise HTTPException(503, "full", {"Retry-After": "2"})
    try:
        r = await request.state.client.get(URL)
        r.raise_for_status()
        return r.text
    except httpx.ReadTimeout:
        raise HTTPException(504)
    except httpx.HTTPError:
        raise HTTPException(502)
    finally:
        free.put_nowait(token)
