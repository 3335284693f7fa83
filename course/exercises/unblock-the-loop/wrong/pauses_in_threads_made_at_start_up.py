# caught by: fifty pauses cost no thread
# each caller of /pause blocks a thread; they are all started before the first request
import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request

THREADS = 70


@asynccontextmanager
async def lifespan(app: FastAPI):
    limits = httpx.Limits(max_connections=None)
    with ThreadPoolExecutor(THREADS) as pool, httpx.Client(timeout=None, limits=limits) as client:
        ready = threading.Barrier(THREADS + 1)
        for _ in range(THREADS):
            pool.submit(ready.wait)
        ready.wait()
        yield {"pool": pool, "client": client, "places": asyncio.Semaphore(4)}


app = FastAPI(lifespan=lifespan)


async def in_a_thread(request, function, argument):
    return await asyncio.get_running_loop().run_in_executor(request.state.pool, function, argument)


@app.get("/legacy/{key}")
async def legacy(key: str, request: Request):
    async with request.state.places:
        return {"value": await in_a_thread(request, legacy_lookup, key)}


@app.get("/crunch/{n}")
async def crunched(n: int, request: Request):
    return {"value": await in_a_thread(request, crunch, n)}


@app.get("/pause")
async def pause(request: Request):
    await in_a_thread(request, request.state.client.get, URL)
    return {"paused": True}
