# caught by: fifty callers at once
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient() as client:
        yield {"client": client, "lock": asyncio.Lock()}


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    async with request.state.lock:
        return (await request.state.client.get(URL)).text
