# caught by: five calls at once
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=5)
TIMEOUT = httpx.Timeout(5.0, read=15.0)


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(limits=LIMITS, timeout=TIMEOUT) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def send(client):
    response = await client.send(client.build_request("GET", URL), stream=True)
    response.raise_for_status()
    return response


async def iter_response(responses):
    for response in responses:
        text = ""
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= 50:
                break
        await response.aclose()
        yield text[:50] + "\n"


@app.get("/")
async def root(request: Request):
    responses = [await send(request.state.client) for _ in range(5)]
    return StreamingResponse(iter_response(responses), media_type="text/plain")
