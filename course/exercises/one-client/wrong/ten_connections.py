# caught by: fifty callers at once
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    limits = httpx.Limits(max_connections=10)
    async with httpx.AsyncClient(limits=limits) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    return (await request.state.client.get(URL)).text
