# aiohttp's session instead of an HTTPX client: the same life, the same rules
from __future__ import annotations

from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with aiohttp.ClientSession() as session:
        app.state.session = session
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    async with request.app.state.session.get(URL) as r:
        return await r.text()
