# a counter for the capacity, given back by the response's background task
import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask


@asynccontextmanager
async def lifespan(app: FastAPI):
    # No timeouts and no limit here: DEADLINE bounds the calls, and the places below their number.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    async with httpx.AsyncClient(timeout=None, limits=limits) as client:
        yield {
            "client": client,
            "places": {name: asyncio.Semaphore(PER_SOURCE) for name in SOURCES},
        }


app = FastAPI(lifespan=lifespan)
app.state.open = 0


async def ask(client: httpx.AsyncClient, url: str) -> dict[str, str]:
    try:
        async with asyncio.timeout(DEADLINE):
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


def give_back() -> None:
    app.state.open -= 1


@app.get("/feed")
async def feed(request: Request) -> StreamingResponse:
    if request.app.state.open >= CAPACITY:
        raise HTTPException(503, "full, try again soon", headers={"Retry-After": "1"})
    request.app.state.open += 1
    return StreamingResponse(
        lines(request), media_type="application/x-ndjson", background=BackgroundTask(give_back)
    )
