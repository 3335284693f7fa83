# AnyIO: a task group, and a scope that moves on after the deadline
from contextlib import asynccontextmanager

import anyio
import httpx
from fastapi import FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=None) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/summary")
async def summary(request: Request):
    ok = {}
    failed = dict.fromkeys(SOURCES, "timeout")

    async def ask(name, url):
        try:
            response = await request.state.client.get(url)
            response.raise_for_status()
            ok[name] = response.text
            del failed[name]
        except httpx.HTTPError:
            failed[name] = "error"

    with anyio.move_on_after(DEADLINE):
        async with anyio.create_task_group() as group:
            for name, url in SOURCES.items():
                group.start_soon(ask, name, url)
    if not ok:
        raise HTTPException(status_code=502)
    return {"ok": ok, "failed": failed}
