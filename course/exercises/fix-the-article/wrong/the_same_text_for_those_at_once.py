# caught by: ten callers share ten connections
# Callers who are there at once share two groups of five calls.
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=5)
TIMEOUT = httpx.Timeout(5, read=15)


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient(limits=LIMITS, timeout=TIMEOUT) as client:
        app.state.client, app.state.groups = client, {}
        yield


app = FastAPI(lifespan=lifespan)


async def first_characters(client: httpx.AsyncClient, count: int = 50) -> str:
    text = ""
    async with client.stream("GET", URL) as response:
        response.raise_for_status()
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= count:
                break
    return text[:count]


async def all_five() -> str | None:
    tasks = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(first_characters(app.state.client)) for _ in range(5)]
    except* httpx.HTTPError:
        tasks = []
    return "\n".join(task.result() for task in tasks) or None


@app.get("/", response_class=PlainTextResponse)
async def index():
    groups = app.state.groups
    number = 0 if not groups.get(0) or len(groups) > 1 else 1
    if number not in groups:
        groups[number] = asyncio.create_task(all_five())
    text = await groups[number]
    groups.pop(number, None)
    if text is None:
        raise HTTPException(502, "an upstream call failed")
    return text
