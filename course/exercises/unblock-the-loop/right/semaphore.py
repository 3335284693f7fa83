"""An asyncio.Semaphore around FastAPI's own threads; the client is opened at start-up"""

import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import APIRouter, FastAPI
from fastapi.concurrency import run_in_threadpool

router = APIRouter()
client: httpx.AsyncClient
at_most_four = asyncio.Semaphore(4)


@asynccontextmanager
async def lifespan(app):
    global client
    client = httpx.AsyncClient(timeout=httpx.Timeout(10, read=None))
    try:
        yield
    finally:
        await client.aclose()


@router.get("/legacy/{key}")
async def legacy(key: str) -> dict[str, str]:
    async with at_most_four:
        return {"value": await run_in_threadpool(legacy_lookup, key)}


@router.get("/crunch/{n}")
async def crunched(n: int) -> dict[str, int]:
    return {"value": await run_in_threadpool(crunch, n)}


@router.get("/pause")
async def pause() -> dict[str, bool]:
    async with client.stream("GET", URL) as response:
        await response.aread()
    return {"paused": True}


app = FastAPI(lifespan=lifespan)
app.include_router(router)
