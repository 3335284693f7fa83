# HTTPX's client over aiohttp
import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from httpx_aiohttp import HttpxAiohttpClient


@asynccontextmanager
async def lifespan(app):
    limits = httpx.Limits(max_connections=1000)
    async with HttpxAiohttpClient(timeout=None, limits=limits) as client:
        yield {
            "client": client,
            "places": {name: asyncio.BoundedSemaphore(PER_SOURCE) for name in SOURCES},
            "capacity": asyncio.BoundedSemaphore(CAPACITY),
        }


app = FastAPI(lifespan=lifespan)


async def ask(state, name, url):
    await state.places[name].acquire()
    try:
        async with asyncio.timeout(DEADLINE):
            response = await state.client.get(url)
        response.raise_for_status()
        line = {"source": name, "text": response.text}
    except TimeoutError:
        line = {"source": name, "error": "timeout"}
    except (httpx.HTTPError, aiohttp.ClientError):
        line = {"source": name, "error": "error"}
    finally:
        state.places[name].release()
    return json.dumps(line) + "\n"


class FeedResponse(StreamingResponse):
    """Holds a place from the first to the last byte, and gives it back whatever happens."""

    def __init__(self, state):
        self.capacity = state.capacity
        super().__init__(self.lines(state), media_type="application/x-ndjson")

    async def lines(self, state):
        tasks = [asyncio.create_task(ask(state, *source)) for source in SOURCES.items()]
        try:
            for line in asyncio.as_completed(tasks):
                yield await line
        finally:
            [task.cancel() for task in tasks]

    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.capacity.release()


@app.get("/feed")
async def feed(request: Request):
    if request.state.capacity.locked():
        raise HTTPException(status_code=503, headers={"Retry-After": "1"})
    await request.state.capacity.acquire()
    return FeedResponse(request.state)
