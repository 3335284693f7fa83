# caught by: no client before start-up
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

client = httpx.AsyncClient()


@asynccontextmanager
async def lifespan(app):
    yield
    await client.aclose()


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root():
    return (await client.get(URL)).text
