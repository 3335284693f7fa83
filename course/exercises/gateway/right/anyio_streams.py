# a task group of AnyIO, whose tasks send their lines into a memory stream
import json
from contextlib import asynccontextmanager

import anyio
import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=httpx.Timeout(None, read=DEADLINE)) as client:
        yield {
            "client": client,
            "limits": {name: anyio.CapacityLimiter(PER_SOURCE) for name in SOURCES},
            "capacity": anyio.Semaphore(CAPACITY),
        }


app = FastAPI(lifespan=lifespan)


class Feed:
    def __init__(self, state):
        self.state = state

    async def call(self, name, url, send):
        answer = {"source": name, "error": "timeout"}
        # a borrower of its own, since tasks may share the default one
        async with self.state.limits[name]:
            with anyio.move_on_after(DEADLINE):
                try:
                    response = await self.state.client.get(url)
                except httpx.TimeoutException:
                    pass
                except httpx.TransportError:
                    answer["error"] = "error"
                else:
                    if response.is_error:
                        answer["error"] = "error"
                    else:
                        answer = {"source": name, "text": response.text}
        await send.send(answer)

    async def lines(self):
        try:
            send, receive = anyio.create_memory_object_stream(len(SOURCES))
            async with anyio.create_task_group() as group, send, receive:
                for name, url in SOURCES.items():
                    group.start_soon(self.call, name, url, send)
                for _ in SOURCES:
                    answer = await receive.receive()
                    yield json.dumps(answer).encode() + b"\n"
        finally:
            self.state.capacity.release()


@app.get("/feed")
async def feed(request: Request):
    try:
        request.state.capacity.acquire_nowait()
    except anyio.WouldBlock:
        raise HTTPException(503, "full", {"Retry-After": "1"}) from None
    return StreamingResponse(Feed(request.state).lines(), media_type="application/x-ndjson")
