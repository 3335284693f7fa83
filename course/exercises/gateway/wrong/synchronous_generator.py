# caught by: no thread per caller
import json
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app):
    app.state.capacity = threading.BoundedSemaphore(CAPACITY)
    app.state.places = {name: threading.BoundedSemaphore(PER_SOURCE) for name in SOURCES}
    with httpx.Client(timeout=DEADLINE) as app.state.client, ThreadPoolExecutor(200) as app.state.pool:
        yield


app = FastAPI(lifespan=lifespan)


def call(name, url, told):
    line = {"source": name}
    with app.state.places[name]:
        try:
            line["text"] = app.state.client.get(url).raise_for_status().text
        except httpx.TimeoutException:
            line["error"] = "timeout"
        except httpx.HTTPError:
            line["error"] = "error"
    told.put(json.dumps(line) + "\n")


def lines():
    try:
        told = queue.Queue()
        for name, url in SOURCES.items():
            app.state.pool.submit(call, name, url, told)
        for _ in SOURCES:
            yield told.get()
    finally:
        app.state.capacity.release()


@app.get("/feed")
async def feed():
    if not app.state.capacity.acquire(blocking=False):
        raise HTTPException(503, headers={"Retry-After": "1"})
    return StreamingResponse(lines(), media_type="application/x-ndjson")
