# made by the first caller: nothing is awaited before it is kept, so there is only one
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

client = None


@asynccontextmanager
async def lifespan(app):
    global client
    yield
    if client is not None:
        await client.aclose()
        client = None


app = FastAPI(lifespan=lifespan)


def get_client():
    global client
    if client is None:
        client = httpx.AsyncClient()
    return client


@app.get("/", response_class=PlainTextResponse)
async def root():
    return (await get_client().get(URL)).text
