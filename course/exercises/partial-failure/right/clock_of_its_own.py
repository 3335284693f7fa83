# looks at a clock now and then to see whether the deadline is over
import asyncio
import time
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=None) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def fetch(client, url):
    response = await client.get(url)
    return response.raise_for_status().text


@app.get("/summary")
async def summary(request: Request):
    end = time.monotonic() + DEADLINE
    client = request.state.client
    tasks = {asyncio.create_task(fetch(client, url)): name for name, url in SOURCES.items()}
    pending = set(tasks)
    ok, failed = {}, {}
    try:
        while pending and (left := end - time.monotonic()) > 0:
            done, pending = await asyncio.wait(pending, timeout=left, return_when="FIRST_COMPLETED")
            for task in done:
                if isinstance(task.exception(), httpx.HTTPError):
                    failed[tasks[task]] = "error"
                else:
                    ok[tasks[task]] = task.result()
    finally:
        for task in pending:
            task.cancel()
    failed |= {tasks[task]: "timeout" for task in pending}
    if not ok:
        raise HTTPException(502)
    return {"ok": ok, "failed": failed}
