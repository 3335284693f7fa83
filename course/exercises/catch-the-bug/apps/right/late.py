"""Answers first, and closes its streams three seconds later."""

import asyncio
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=5)
TIMEOUT = httpx.Timeout(60)
CLOSING = set()


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(limits=LIMITS, timeout=TIMEOUT) as client:
        yield {"client": client}
        await asyncio.gather(*CLOSING)


app = FastAPI(lifespan=lifespan)


async def client_of(request: Request):
    yield request.state.client


Client = Annotated[httpx.AsyncClient, Depends(client_of)]


async def close(response):
    for _ in range(2):
        await asyncio.sleep(1.5)
    await response.aclose()


async def first_characters(client):
    text = ""
    response = await client.send(client.build_request("GET", URL), stream=True)
    try:
        response.raise_for_status()
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= 50:
                break
    finally:
        closing = asyncio.create_task(close(response))
        CLOSING.add(closing)
        closing.add_done_callback(CLOSING.discard)
    return text[:50]


@app.get("/")
async def root(client: Client):
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
