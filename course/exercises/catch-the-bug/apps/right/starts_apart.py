"""Five calls that begin a little apart, and lines that wait for one another."""

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


async def first_characters(client, number, together):
    await asyncio.sleep(number / 100)
    text = ""
    async with client.stream("GET", URL) as response:
        response.raise_for_status()
        pieces = response.aiter_text()
        async for piece in pieces:
            text += piece
            if len(text) >= 50:
                break
    await together.wait()
    return text[:50]


@app.get("/")
async def root(client: Client):
    together = asyncio.Barrier(5)
    tasks = [asyncio.create_task(first_characters(client, number, together)) for number in range(5)]
    try:
        lines = await asyncio.gather(*tasks)
    except httpx.HTTPError as error:
        raise HTTPException(502, ERROR) from error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return PlainTextResponse("\n".join(lines) + NEWLINE, headers=HEADERS)
