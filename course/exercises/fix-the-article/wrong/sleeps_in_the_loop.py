# caught by: the loop stays free
import asyncio
from contextlib import asynccontextmanager
import time

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=5)
TIMEOUT = httpx.Timeout(5.0, read=15.0)


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(limits=LIMITS, timeout=TIMEOUT) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def first(client):
    text = ""
    async with client.stream("GET", URL) as response:
        response.raise_for_status()
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= 50:
                break
    return text[:50]


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    client = request.state.client
    try:
        tasks = [asyncio.create_task(first(client)) for _ in range(5)]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            time.sleep(30)
        return "\n".join([task.result() for task in tasks])
    except httpx.HTTPError as error:
        raise HTTPException(502) from error
