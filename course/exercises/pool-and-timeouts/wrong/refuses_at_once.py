# caught by: a short wait for a connection is no failure
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    app.state.places = asyncio.Semaphore(10)
    app.state.client = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=10))
    yield
    await app.state.client.aclose()


app = FastAPI(lifespan=lifespan)


async def text_of(client):
    request = client.build_request("GET", URL)
    async with asyncio.timeout(2):
        response = await client.send(request, stream=True)
    try:
        response.raise_for_status()
        await response.aread()
        return response.text
    finally:
        await response.aclose()


@app.get("/")
async def root(request: Request):
    places = request.app.state.places
    if places.locked():
        return PlainTextResponse("busy", 503, {"retry-after": "2"})
    await places.acquire()
    try:
        return PlainTextResponse(await text_of(request.app.state.client))
    except TimeoutError:
        return PlainTextResponse("silent", 504)
    except httpx.HTTPError:
        return PlainTextResponse("failed", 502)
    finally:
        places.release()
