# HTTPX's client over aiohttp, which tries a lost call once more by itself
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse
from httpx_aiohttp import HttpxAiohttpClient


@asynccontextmanager
async def lifespan(app):
    async with HttpxAiohttpClient(
        limits=httpx.Limits(max_connections=10, max_keepalive_connections=5),
        timeout=httpx.Timeout(5, read=15),
    ) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def first(client):
    text = ""
    async with client.stream("GET", URL, headers={"Accept-Encoding": "identity"}) as response:
        response.raise_for_status()
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= 50:
                break
    return text[:50]


@app.get("/", response_class=PlainTextResponse)
async def index(request: Request):
    client = request.state.client
    tasks = [asyncio.create_task(first(client)) for _ in range(5)]
    try:
        lines = await asyncio.gather(*tasks)
    except httpx.HTTPError:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise HTTPException(502)
    return "\n".join(lines)
