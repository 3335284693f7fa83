# caught by: ten callers share ten connections
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

TIMEOUT = httpx.Timeout(5, read=15)


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=TIMEOUT) as shown:  # never used
        app.state.places = asyncio.Semaphore(10)
        yield


app = FastAPI(lifespan=lifespan)


async def first(places):
    async with places, httpx.AsyncClient(timeout=TIMEOUT) as client:  # a client for every call
        text = ""
        async with client.stream("GET", URL) as response:
            response.raise_for_status()
            async for piece in response.aiter_text():
                text += piece
                if len(text) >= 50:
                    break
        return text[:50]


@app.get("/", response_class=PlainTextResponse)
async def index(request: Request):
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(first(request.app.state.places)) for _ in range(5)]
    except* httpx.HTTPError:
        tasks = []
    if not tasks:
        raise HTTPException(502)
    return "\n".join(t.result() for t in tasks)
