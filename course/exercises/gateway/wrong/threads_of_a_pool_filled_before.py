# caught by: no thread per caller
import asyncio
import json
import queue
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import anyio
import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app: FastAPI):
    # No timeouts and no limit here: DEADLINE bounds the calls, and the places below their number.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    with ThreadPoolExecutor(MOST) as pool:
        everyone = threading.Barrier(MOST + 1)
        for _ in range(MOST):
            pool.submit(everyone.wait)
        everyone.wait()  # no caller need wait until a thread is started
        async with httpx.AsyncClient(timeout=None, limits=limits) as client:
            yield {
                "client": client,
                "pool": pool,
                "feeds": asyncio.Semaphore(CAPACITY),
                "places": {name: asyncio.Semaphore(PER_SOURCE) for name in SOURCES},
            }


MOST = 40
"""Threads that write feeds."""
app = FastAPI(lifespan=lifespan)


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
    loop, told, ready = asyncio.get_running_loop(), queue.SimpleQueue(), asyncio.Queue()

    def hand_over() -> None:
        while (line := told.get()) is not None:
            loop.call_soon_threadsafe(ready.put_nowait, line)

    handing = loop.run_in_executor(request.state.pool, hand_over)
    for task in tasks:
        task.add_done_callback(lambda t: t.cancelled() or told.put(t.result()))
    try:
        for _ in tasks:
            yield await ready.get()
    finally:
        told.put(None)
        for task in tasks:
            task.cancel()
        with anyio.CancelScope(shield=True):  # the response's cancellation must not strike here
            await asyncio.gather(*tasks, handing, return_exceptions=True)


async def admission(request: Request) -> AsyncIterator[None]:
    if request.state.feeds.locked():
        raise HTTPException(503, "full, try again soon", headers={"Retry-After": "1"})
    async with request.state.feeds:  # given back when the response is over, however it ends
        yield


@app.get("/feed", dependencies=[Depends(admission)])
async def feed(request: Request) -> StreamingResponse:
    return StreamingResponse(lines(request), media_type="application/x-ndjson")
