# caught by: a source that hangs is let go
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
    client = request.state.client
    tasks = {name: asyncio.create_task(ask(client, url)) for name, url in SOURCES.items()}
    await asyncio.wait(tasks.values(), timeout=DEADLINE)
    ok, failed = {}, {}
    for name, task in tasks.items():
        if not task.done():
            failed[name] = "timeout"
        elif task.exception():
            failed[name] = "error"
        else:
            ok[name] = task.result()
    if not ok:
        raise HTTPException(502)
    return {"ok": ok, "failed": failed}
