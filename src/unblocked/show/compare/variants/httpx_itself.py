"""One HTTPX client for the app's life, with the limits that all variants have."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request

from unblocked.show.compare.variants import CONNECTIONS, KEPT

UPSTREAM = os.environ["UPSTREAM"]
LIMITS = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=KEPT)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    async with httpx.AsyncClient(limits=LIMITS, timeout=60) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def fan_out(request: Request) -> list[int]:
    calls = [request.state.client.get(UPSTREAM) for _ in range(5)]
    return [len(response.text) for response in await asyncio.gather(*calls)]
