# caught by: the first 50 characters of each
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app: FastAPI):
    limits = httpx.Limits(max_keepalive_connections=5, max_connections=10)
    timeout = httpx.Timeout(5.0, read=15.0)
    async with httpx.AsyncClient(limits=limits, timeout=timeout) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@asynccontextmanager
async def send(client):
    req = client.build_request("GET", URL)
    response = await client.send(req, stream=True)
    try:
        yield response
    finally:
        await response.aclose()


async def opened(client):
    async with send(client) as response:
        response.raise_for_status()
        return response


async def first(response):
    text = ""
    async for piece in response.aiter_text():
        text += piece
        if len(text) >= 50:
            break
    return text[:50]


async def iter_response(responses):
    for response in responses:
        yield await first(response) + "\n"
        await response.aclose()


@app.get("/")
async def main(request: Request):
    client = request.state.client
    try:
        responses = await asyncio.gather(*[opened(client) for _ in range(5)])
    except httpx.HTTPError as error:
        raise HTTPException(502) from error
    return StreamingResponse(iter_response(responses), media_type="text/plain")
