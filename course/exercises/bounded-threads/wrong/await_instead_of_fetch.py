# caught by: five calls at once
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=8), timeout=60) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def index(request: Request):
    async def get():
        response = await request.state.client.get(URL)
        return response.raise_for_status().text

    try:
        return await asyncio.gather(*(get() for _ in range(5)))
    except httpx.HTTPError:
        raise HTTPException(502)
