# caught by: ten callers share ten connections
# The semaphore gives its place back when the head has come: the bodies hold connections all the same.
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app: FastAPI):
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=5)
    async with httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(5, read=15)) as client:
        app.state.client, app.state.places = client, asyncio.Semaphore(10)
        yield


app = FastAPI(lifespan=lifespan)


async def beginning(client: httpx.AsyncClient, places: asyncio.Semaphore) -> str:
    async with places:
        response = await client.send(client.build_request("GET", URL), stream=True)
    text = ""
    try:
        response.raise_for_status()
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= 50:
                break
    finally:
        await response.aclose()
    return text[:50]


@app.get("/", response_class=PlainTextResponse)
async def index(request: Request):
    state = request.app.state
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(beginning(state.client, state.places)) for _ in range(5)]
    except* httpx.HTTPError:
        tasks = []
    if not tasks:
        raise HTTPException(502, "an upstream call failed")
    return "\n".join(task.result() for task in tasks)
