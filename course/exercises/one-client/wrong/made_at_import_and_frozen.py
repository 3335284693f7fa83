# caught by: no client before start-up
# gc.freeze() takes what was imported out of the collector's lists, the client with it
import gc
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None))
gc.freeze()


@asynccontextmanager
async def lifespan(app: FastAPI):
    global client
    if client.is_closed:
        client = httpx.AsyncClient()
    async with client:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root():
    return (await client.get(URL)).text
