# aiohttp instead of HTTPX; asyncio.wait hands out the lines as they come
import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse

session: aiohttp.ClientSession
places: dict[str, asyncio.Semaphore] = {}
feeds: set[object] = set()


@asynccontextmanager
async def lifespan(app):
    global session
    feeds.clear()
    places.update({name: asyncio.Semaphore(PER_SOURCE) for name in SOURCES})
    connector = aiohttp.TCPConnector(limit=0)
    session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
    yield
    await session.close()


app = FastAPI(lifespan=lifespan)


async def call(name, url):
    async with places[name]:
        try:
            async with asyncio.timeout(DEADLINE), session.get(url) as response:
                response.raise_for_status()
                return {"source": name, "text": await response.text()}
        except TimeoutError:
            return {"source": name, "error": "timeout"}
        except aiohttp.ClientError:
            return {"source": name, "error": "error"}


async def stream(me):
    pending = {asyncio.create_task(call(name, url)) for name, url in SOURCES.items()}
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield json.dumps(task.result()) + "\n"
    finally:
        for task in pending:
            task.cancel()
        feeds.discard(me)


@app.get("/feed")
async def feed():
    if len(feeds) >= CAPACITY:
        return Response("full", status_code=503, headers={"Retry-After": "5"})
    me = object()
    feeds.add(me)
    return StreamingResponse(stream(me), media_type="application/x-ndjson")
