"""A task group, and a client on the app's state."""

import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    app.state.client = httpx.AsyncClient(limits=httpx.Limits(max_connections=10), timeout=60)
    yield
    await app.state.client.aclose()


app = FastAPI(lifespan=lifespan)


async def first_characters():
    async with app.state.client.stream("GET", URL) as response:
        if response.status_code >= 400:
            raise httpx.HTTPStatusError("no", request=response.request, response=response)
        text = ""
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= 50:
                break
        return text[:50]


@app.get("/")
async def root():
    failed = False
    tasks = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(first_characters()) for _ in range(5)]
    except* httpx.HTTPError:
        failed = True
    if failed:
        return PlainTextResponse(ERROR, status_code=502, headers=HEADERS)
    lines = [task.result() for task in tasks]
    return PlainTextResponse("\n".join(lines) + NEWLINE, headers=HEADERS)
