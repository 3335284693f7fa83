# caught by: fifty callers share one client
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import Depends, FastAPI
from fastapi.responses import PlainTextResponse


class Holder:
    client = None


@asynccontextmanager
async def lifespan(app):
    yield
    if Holder.client:
        await Holder.client.aclose()
        Holder.client = None


app = FastAPI(lifespan=lifespan)
CLIENTS = []


async def get_client():
    if Holder.client is None:
        await asyncio.sleep(0)
        Holder.client = httpx.AsyncClient()
        CLIENTS.append(Holder.client)
    return Holder.client


@app.get("/", response_class=PlainTextResponse)
async def root(client: httpx.AsyncClient = Depends(get_client)):
    return (await client.get(URL)).text
