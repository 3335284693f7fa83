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


OPEN = set()


async def opened(client):
    response = await client.send(client.build_request("GET", URL), stream=True)
    OPEN.add(response)
    response.raise_for_status()
    return response


async def first(response):
    text = ""
    async for piece in response.aiter_text():
        text += piece
        if len(text) >= 50:
            break
    await response.aclose()
    OPEN.discard(response)
    return text[:50]


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    client = request.state.client
    try:
        responses = await asyncio.gather(*[opened(client) for _ in range(5)])
        return "\n".join(await asyncio.gather(*[first(r) for r in responses]))
    except httpx.HTTPError as error:
        raise HTTPException(502) from error
