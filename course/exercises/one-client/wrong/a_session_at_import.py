# caught by: no client before start-up
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient() as client:
        yield {"client": client}


import aiohttp

spare = aiohttp.ClientSession()
app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    response = await request.state.client.get(URL)
    return response.text
