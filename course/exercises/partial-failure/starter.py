import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient() as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def ask(client, url):
    response = await client.get(url)
    return response.raise_for_status().text


# TODO: one source that fails spoils the answer, and one that hangs delays it.
@app.get("/summary")
async def summary(request: Request):
    client = request.state.client
    texts = await asyncio.gather(*(ask(client, url) for url in SOURCES.values()))
    return {"ok": dict(zip(SOURCES, texts)), "failed": {}}
