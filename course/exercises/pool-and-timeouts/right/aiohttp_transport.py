# the HTTPX API over aiohttp: its pool's timeout looks like another, so a semaphore waits instead
import asyncio
from contextlib import asynccontextmanager

import aiohttp
import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse
from httpx_aiohttp import HttpxAiohttpClient


@asynccontextmanager
async def lifespan(app):
    limits = httpx.Limits(max_connections=10)
    async with HttpxAiohttpClient(limits=limits, timeout=httpx.Timeout(2, pool=10)) as client:
        yield {"client": client, "places": asyncio.Semaphore(10)}


app = FastAPI(lifespan=lifespan)


async def place(request: Request):
    places = request.state.places
    try:
        async with asyncio.timeout(1):
            await places.acquire()
    except TimeoutError as error:
        raise HTTPException(503, headers={"Retry-After": "1"}) from error
    try:
        yield
    finally:
        places.release()


@app.get("/", response_class=PlainTextResponse, dependencies=[Depends(place)])
async def root(request: Request):
    try:
        response = await request.state.client.get(URL)
    except httpx.ReadTimeout as error:
        raise HTTPException(504) from error
    except (httpx.TransportError, aiohttp.ClientError) as error:
        raise HTTPException(502) from error
    if response.is_error:
        raise HTTPException(502)
    return response.text
