# caught by: passes the text on
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient() as client:
        yield {"text": (await client.get(URL)).text}


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    return request.state.text
