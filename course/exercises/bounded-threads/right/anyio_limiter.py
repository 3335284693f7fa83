"""AnyIO's threads, with a limiter of the app's own"""

from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from fastapi import FastAPI
from fastapi.responses import JSONResponse


@asynccontextmanager
async def lifespan(app):
    app.state.limiter = anyio.CapacityLimiter(8)
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def index():
    texts = [""] * 5

    async def one(place):
        texts[place] = await anyio.to_thread.run_sync(fetch, URL, limiter=app.state.limiter)

    try:
        async with anyio.create_task_group() as group:
            for place in range(5):
                group.start_soon(one, place)
    except ExceptionGroup:
        return JSONResponse({"detail": "an upstream call failed"}, status_code=502)
    return texts
