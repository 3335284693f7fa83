"""The same, after three seconds with work of its own."""

import asyncio
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=5)
TIMEOUT = httpx.Timeout(60)


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(limits=LIMITS, timeout=TIMEOUT) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def client_of(request: Request):
    yield request.state.client


Client = Annotated[httpx.AsyncClient, Depends(client_of)]


async def first_characters(client):
    text = ""
    async with client.stream("GET", URL) as response:
        response.raise_for_status()
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= 50:
                break
    return text[:50]


@app.get("/")
async def root(client: Client):
    for _ in range(2):
        await asyncio.sleep(1.5)
    tasks = [asyncio.create_task(first_characters(client)) for _ in range(5)]
    try:
        lines = await asyncio.gather(*tasks)
    except httpx.HTTPError as error:
        raise HTTPException(502, ERROR) from error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return PlainTextResponse("\n".join(lines) + NEWLINE, headers=HEADERS)
