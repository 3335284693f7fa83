"""aiohttp without HTTPX on top."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI, Request

from unblocked.show.compare.variants import CONNECTIONS

UPSTREAM = os.environ["UPSTREAM"]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, aiohttp.ClientSession]]:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield {"session": session}


async def fetch(session: aiohttp.ClientSession) -> str:
    async with session.get(UPSTREAM) as response:
        return await response.text()


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def fan_out(request: Request) -> list[int]:
    calls = [fetch(request.state.session) for _ in range(5)]
    return [len(text) for text in await asyncio.gather(*calls)]
