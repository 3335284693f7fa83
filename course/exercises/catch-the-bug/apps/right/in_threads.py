"""A blocking client, in ten threads of its own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    limits = httpx.Limits(max_connections=10)
    with httpx.Client(limits=limits, timeout=60) as client, ThreadPoolExecutor(10) as pool:
        yield {"client": client, "pool": pool}


app = FastAPI(lifespan=lifespan)


def first_characters(client):
    text = ""
    with client.stream("GET", URL) as response:
        response.raise_for_status()
        for piece in response.iter_text():
            text += piece
            if len(text) >= 50:
                break
    return text[:50]


@app.get("/")
async def root(request: Request):
    submit, client = request.state.pool.submit, request.state.client
    calls = [submit(first_characters, client) for _ in range(5)]
    try:
        lines = [await asyncio.wrap_future(call) for call in calls]
    except httpx.HTTPError as error:
        raise HTTPException(502, ERROR) from error
    return PlainTextResponse("\n".join(lines) + NEWLINE, headers=HEADERS)
