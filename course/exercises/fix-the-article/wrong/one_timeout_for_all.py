# caught by: timeouts are as asked
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=5)
TIMEOUT = httpx.Timeout(15.0)


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
        return "\n".join(await asyncio.gather(*[first(client) for _ in range(5)]))
    except httpx.HTTPError as error:
        raise HTTPException(502) from error
