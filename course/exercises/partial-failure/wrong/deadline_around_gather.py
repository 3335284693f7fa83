# caught by: the deadline cuts what hangs
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
    response = await client.get(url)
    return response.raise_for_status().text


@app.get("/summary")
async def summary(request: Request):
    calls = [ask(request.state.client, url) for url in SOURCES.values()]
    try:
        results = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), DEADLINE)
    except TimeoutError:
        results = [TimeoutError()] * len(SOURCES)
    ok = {n: r for n, r in zip(SOURCES, results) if isinstance(r, str)}
    failed = {
        n: "timeout" if isinstance(r, TimeoutError) else "error"
        for n, r in zip(SOURCES, results)
        if not isinstance(r, str)
    }
    if not ok:
        raise HTTPException(502)
    return {"ok": ok, "failed": failed}
