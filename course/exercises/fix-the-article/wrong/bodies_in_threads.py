# caught by: no thread per call
# The calls are awaited, but each body is read by a thread that waits for the loop.
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app: FastAPI):
    limits = httpx.Limits(max_connections=10, max_keepalive_connections=5)
    async with httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(5, read=15)) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


async def collected(response: httpx.Response) -> str:
    text = ""
    async for piece in response.aiter_text():
        text += piece
        if len(text) >= 50:
            break
    return text[:50]


async def beginning(client: httpx.AsyncClient) -> str:
    loop = asyncio.get_running_loop()
    async with client.stream("GET", URL) as response:
        response.raise_for_status()

        def read() -> str:
            return asyncio.run_coroutine_threadsafe(collected(response), loop).result()

        return await asyncio.to_thread(read)


@app.get("/", response_class=PlainTextResponse)
async def index(request: Request):
    client = request.app.state.client
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(beginning(client)) for _ in range(5)]
    except* httpx.HTTPError:
        tasks = []
    if not tasks:
        raise HTTPException(502, "an upstream call failed")
    return "\n".join(task.result() for task in tasks)
