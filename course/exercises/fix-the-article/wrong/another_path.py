# caught by: the first 50 characters of each
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app: FastAPI):
    limits = httpx.Limits(max_keepalive_connections=5, max_connections=10)
    timeout = httpx.Timeout(5.0, read=15.0)
    async with httpx.AsyncClient(limits=limits, timeout=timeout) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def first(client):
    text = ""
    async with client.stream("GET", URL + "/other") as response:
        response.raise_for_status()
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= 50:
                break
    return text[:50]


@app.get("/", response_class=PlainTextResponse)
async def main(request: Request):
    client = request.state.client
    tasks = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(first(client)) for _ in range(5)]
    except* httpx.HTTPError:
        tasks = []
    if not tasks:
        raise HTTPException(502)
    return "\n".join(task.result() for task in tasks)
