# caught by: too long without a connection is a 503
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(
        limits=httpx.Limits(max_connections=10), timeout=httpx.Timeout(2, pool=1)
    ) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    client = request.state.client
    try:
        async with asyncio.timeout(3):
            response = await client.get(URL)
        response.raise_for_status()
    except httpx.PoolTimeout:
        raise HTTPException(503, headers={"Retry-After": "1"})
    except (TimeoutError, httpx.ReadTimeout):
        raise HTTPException(504)
    except httpx.HTTPError:
        raise HTTPException(502)
    return response.text
