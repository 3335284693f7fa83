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


@app.get("/summary")
async def summary(request: Request):
    ok, failed = {}, {}
    for name, url in SOURCES.items():
        try:
            response = await asyncio.wait_for(request.state.client.get(url), DEADLINE)
            ok[name] = response.raise_for_status().text
        except TimeoutError:
            failed[name] = "timeout"
        except httpx.HTTPError:
            failed[name] = "error"
    if not ok:
        raise HTTPException(502)
    return {"ok": ok, "failed": failed}
