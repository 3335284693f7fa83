# caught by: all sources at once
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=None) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def ask(client, url):
    try:
        async with asyncio.timeout(DEADLINE):
            response = await client.get(url)
            return "ok", response.raise_for_status().text
    except TimeoutError:
        return "failed", "timeout"
    except httpx.HTTPError:
        return "failed", "error"


@app.get("/summary")
async def summary(request: Request):
    answer = {"ok": {}, "failed": {}}
    calls = [ask(request.state.client, url) for url in SOURCES.values()]
    for name, call in zip(SOURCES, asyncio.as_completed(calls)):
        outcome, text = await call
        answer[outcome][name] = text
    if not answer["ok"]:
        raise HTTPException(502)
    return answer
