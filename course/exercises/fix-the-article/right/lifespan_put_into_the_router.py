# The lifespan is given to the router when the app is there already; answers may be compressed.
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import PlainTextResponse

app = FastAPI()
app.add_middleware(GZipMiddleware, minimum_size=10)


@asynccontextmanager
async def client_for_all(app: FastAPI):
    limits = httpx.Limits(max_connections=10, max_keepalive_connections=5)
    async with httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(5, read=15)) as client:
        app.state.client = client
        yield


app.router.lifespan_context = client_for_all


async def beginning() -> str:
    text = ""
    async with app.state.client.stream("GET", URL) as response:
        response.raise_for_status()
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= 50:
                break
    return text[:50]


@app.get("/", response_class=PlainTextResponse)
async def index() -> str:
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(beginning()) for _ in range(5)]
    except* httpx.HTTPError:
        tasks = []
    if not tasks:
        raise HTTPException(502, "an upstream call failed")
    return "\n".join(task.result() for task in tasks)
