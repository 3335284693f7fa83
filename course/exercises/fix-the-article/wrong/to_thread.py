# caught by: no thread per call
import asyncio
from contextlib import asynccontextmanager

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


def first_sync(client):
    text = ""
    with client.stream("GET", URL) as response:
        response.raise_for_status()
        for piece in response.iter_text():
            text += piece
            if len(text) >= 50:
                break
    return text[:50]


@asynccontextmanager
async def sync_lifespan(app):
    with httpx.Client(limits=LIMITS, timeout=TIMEOUT) as client:
        yield {"client": client}


app = FastAPI(lifespan=sync_lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    client = request.state.client
    try:
        jobs = [asyncio.to_thread(first_sync, client) for _ in range(5)]
        return "\n".join(await asyncio.gather(*jobs))
    except httpx.HTTPError as error:
        raise HTTPException(502) from error
