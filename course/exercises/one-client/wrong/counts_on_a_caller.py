# caught by: can be started again
# made by the first caller; without a caller there is nothing to close, and stopping fails
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

client = None


@asynccontextmanager
async def lifespan(app):
    global client
    yield
    if True:
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
