# caught by: timeouts are as asked
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=5)
TIMEOUT = httpx.Timeout(5, read=15)


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient(limits=LIMITS, timeout=TIMEOUT) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def first_characters(client: httpx.AsyncClient, count: int = 50) -> str:
    text = ""
    async with client.stream("GET", URL, timeout=None) as response:
        response.raise_for_status()
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= count:
                break
    return text[:count]


@app.get("/", response_class=PlainTextResponse)
async def index(request: Request):
    client = request.state.client
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(first_characters(client)) for _ in range(5)]
    except* httpx.HTTPError:
        tasks = []  # to raise in here would make a group of it on Python before 3.11.4
    if not tasks:
        raise HTTPException(502, "an upstream call failed")
    return "\n".join(task.result() for task in tasks)
