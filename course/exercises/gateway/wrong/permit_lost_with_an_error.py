# caught by: the place of a caller who left is free
import asyncio
import json
from contextlib import asynccontextmanager

import anyio
import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None)) as client:
        yield {
            "client": client,
            "feeds": asyncio.Semaphore(CAPACITY),
            "permits": {n: asyncio.Semaphore(PER_SOURCE) for n in SOURCES},
        }


app = FastAPI(lifespan=lifespan)


async def ask(client, url):
    try:
        async with asyncio.timeout(DEADLINE):
            response = await client.get(url)
            response.raise_for_status()
            return {"text": response.text}
    except TimeoutError:
        return {"error": "timeout"}
    except httpx.HTTPError:
        return {"error": "error"}


async def line_of(request, name, url):
    await request.state.permits[name].acquire()
    result = await ask(request.state.client, url)
    if result.get("error") != "error":
        request.state.permits[name].release()
    return json.dumps({"source": name, **result}) + "\n"


async def lines(request):
    tasks = [asyncio.create_task(line_of(request, *source)) for source in SOURCES.items()]
    try:
        for finished in asyncio.as_completed(tasks):
            yield await finished
    finally:
        for task in tasks:
            task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.gather(*tasks, return_exceptions=True)


async def admission(request: Request):
    if request.state.feeds.locked():
        raise HTTPException(503, headers={"Retry-After": "1"})
    async with request.state.feeds:
        yield


@app.get("/feed", dependencies=[Depends(admission)])
async def feed(request: Request):
    return StreamingResponse(lines(request), media_type="application/x-ndjson")
