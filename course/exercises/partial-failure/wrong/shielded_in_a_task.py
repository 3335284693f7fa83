# caught by: a source that hangs is let go
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None)) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def ask(client, url):
    try:
        async with asyncio.timeout(DEADLINE):
            response = await asyncio.shield(asyncio.create_task(client.get(url)))
            response.raise_for_status()
            return "ok", response.text
    except TimeoutError:
        return "failed", "timeout"
    except httpx.HTTPError:
        return "failed", "error"


@app.get("/summary")
async def summary(request: Request):
    found = await asyncio.gather(*(ask(request.state.client, url) for url in SOURCES.values()))
    answer = {"ok": {}, "failed": {}}
    for name, (kind, text) in zip(SOURCES, found):
        answer[kind][name] = text
    if not answer["ok"]:
        raise HTTPException(502)
    return answer
