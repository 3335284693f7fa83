# caught by: starts and stops cleanly
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    app.state.client = httpx.AsyncClient()
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root():
    return (await app.state.client.get(URL)).text
