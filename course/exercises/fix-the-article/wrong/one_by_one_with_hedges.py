# caught by: five calls at once
# one call after the other; whichever is slow is made four more times
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=5)
TIMEOUT = httpx.Timeout(5.0, read=15.0)
SLOW = 0.5


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


async def hedged(client):
    asked = [asyncio.create_task(first(client))]
    try:
        done, _ = await asyncio.wait(asked, timeout=SLOW)
        if not done:
            asked += [asyncio.create_task(first(client)) for _ in range(4)]
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        await asyncio.gather(*asked, return_exceptions=True)


@app.get("/", response_class=PlainTextResponse)
async def index(request: Request):
    try:
        return "\n".join([await hedged(request.state.client) for _ in range(5)])
    except httpx.HTTPError as error:
        raise HTTPException(502) from error
