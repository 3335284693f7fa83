# asyncio.wait for all, and then cancel what is pending
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from fastapi.responses import JSONResponse


@asynccontextmanager
async def lifespan(app):
    app.state.client = httpx.AsyncClient(timeout=httpx.Timeout(DEADLINE * 2))
    yield
    await app.state.client.aclose()


app = FastAPI(lifespan=lifespan)


async def fetch(url):
    response = await app.state.client.get(url)
    response.raise_for_status()
    return response.text


@app.get("/summary")
async def summary():
    tasks = {asyncio.create_task(fetch(url)): name for name, url in SOURCES.items()}
    try:
        done, pending = await asyncio.wait(tasks, timeout=DEADLINE)
    finally:
        for task in tasks:
            task.cancel()
    ok, failed = {}, {}
    for task in done:
        if task.exception() is None:
            ok[tasks[task]] = task.result()
        else:
            failed[tasks[task]] = "error"
    for task in pending:
        failed[tasks[task]] = "timeout"
    return JSONResponse({"ok": ok, "failed": failed}, status_code=200 if ok else 502)
