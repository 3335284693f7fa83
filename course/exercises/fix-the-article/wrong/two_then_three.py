# caught by: five calls at once
# Two calls, then the other three; and as many connections as it takes, so that callers who have left
# go on calling behind them.
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app: FastAPI):
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(5, read=15)) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


async def beginning(client: httpx.AsyncClient) -> str:
    text = ""
    async with client.stream("GET", URL) as response:
        response.raise_for_status()
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= 50:
                break
    return text[:50]


@app.get("/", response_class=PlainTextResponse)
async def index(request: Request):
    client = request.app.state.client
    lines = []
    try:
        for count in (2, 3):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(beginning(client)) for _ in range(count)]
            lines += [task.result() for task in tasks]
    except* httpx.HTTPError:
        lines = []
    if not lines:
        raise HTTPException(502, "an upstream call failed")
    return "\n".join(lines)
