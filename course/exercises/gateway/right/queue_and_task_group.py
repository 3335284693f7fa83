# tasks of a TaskGroup put their lines into a queue
import asyncio
import json
from collections import defaultdict
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app):
    app.state.open_feeds = 0
    app.state.places = defaultdict(lambda: asyncio.Semaphore(PER_SOURCE))
    async with httpx.AsyncClient(timeout=None) as app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


async def ask(name, url, queue):
    result = {"source": name}
    async with app.state.places[name]:
        try:
            response = await asyncio.wait_for(app.state.client.get(url), DEADLINE)
            response.raise_for_status()
            result["text"] = response.text
        except TimeoutError:
            result["error"] = "timeout"
        except httpx.HTTPError:
            result["error"] = "error"
    await queue.put(json.dumps(result, ensure_ascii=False) + "\n")


async def lines():
    queue = asyncio.Queue()
    try:
        async with asyncio.TaskGroup() as group:
            for name, url in SOURCES.items():
                group.create_task(ask(name, url, queue))
            for _ in SOURCES:
                yield await queue.get()
    finally:
        app.state.open_feeds -= 1


@app.get("/feed")
async def feed():
    if app.state.open_feeds >= CAPACITY:
        raise HTTPException(503, headers={"Retry-After": "2"})
    app.state.open_feeds += 1
    return StreamingResponse(lines(), media_type="application/x-ndjson")
