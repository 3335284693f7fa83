# caught by: lets go when one call fails
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


async def first(client):
    response = await client.send(client.build_request("GET", URL), stream=True)
    response.raise_for_status()
    KEPT.append(response)
    text = ""
    async for piece in response.aiter_text():
        text += piece
        if len(text) >= 50:
            break
    return text[:50]


KEPT = []


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    try:
        return "\n".join(
            await asyncio.gather(*[first(request.state.client) for _ in range(5)])
        )
    except httpx.HTTPError as error:
        raise HTTPException(502) from error
