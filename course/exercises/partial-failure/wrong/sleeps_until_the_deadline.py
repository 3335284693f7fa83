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
    client = request.state.client
    tasks = {name: asyncio.create_task(client.get(url)) for name, url in SOURCES.items()}
    await asyncio.sleep(DEADLINE)
    ok, failed = {}, {}
    for name, task in tasks.items():
        if not task.done():
            task.cancel()
            failed[name] = "timeout"
        elif task.exception() or task.result().status_code >= 400:
            failed[name] = "error"
        else:
            ok[name] = task.result().text
    if not ok:
        raise HTTPException(502)
    return {"ok": ok, "failed": failed}
