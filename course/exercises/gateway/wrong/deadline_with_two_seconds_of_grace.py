# caught by: a silent source is cut and let go
import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app: FastAPI):
    # No timeouts and no limit here: DEADLINE bounds the calls, and the places below their number.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    async with httpx.AsyncClient(timeout=None, limits=limits) as client:
        yield {
            "client": client,
            "feeds": asyncio.Semaphore(CAPACITY),
            "places": {name: asyncio.Semaphore(PER_SOURCE) for name in SOURCES},
        }


app = FastAPI(lifespan=lifespan)


async def ask(client: httpx.AsyncClient, url: str) -> dict[str, str]:
    try:
        async with asyncio.timeout(DEADLINE + 2):
            response = await client.get(url)
            return {"text": response.raise_for_status().text}
    except TimeoutError:
        return {"error": "timeout"}
    except httpx.HTTPError:
        return {"error": "error"}


async def line_of(request: Request, name: str, url: str) -> str:
    async with request.state.places[name]:  # the time begins when the place is ours
        result = await ask(request.state.client, url)
    return json.dumps({"source": name, **result}) + "\n"


async def lines(request: Request) -> AsyncIterator[str]:
    tasks = [asyncio.create_task(line_of(request, *source)) for source in SOURCES.items()]
    try:
        for finished in asyncio.as_completed(tasks):
            yield await finished
    finally:
        for task in tasks:
            task.cancel()
        with anyio.CancelScope(shield=True):  # the response's cancellation must not strike here
            await asyncio.gather(*tasks, return_exceptions=True)


async def admission(request: Request) -> AsyncIterator[None]:
    if request.state.feeds.locked():
        raise HTTPException(503, "full, try again soon", headers={"Retry-After": "1"})
    async with request.state.feeds:  # given back when the response is over, however it ends
        yield


@app.get("/feed", dependencies=[Depends(admission)])
async def feed(request: Request) -> StreamingResponse:
    return StreamingResponse(lines(request), media_type="application/x-ndjson")
