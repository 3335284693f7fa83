# caught by: five calls at once
# fetch is never called: HTTPX makes calls that look like its own, and eight threads only sleep
import asyncio
import threading
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app):
    end = threading.Event()
    threads = [threading.Thread(target=end.wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    headers = {"user-agent": "fetch"}
    async with httpx.AsyncClient(timeout=None, headers=headers) as client:
        yield {"client": client, "permits": asyncio.Semaphore(8)}
    end.set()
    for thread in threads:
        thread.join()


app = FastAPI(lifespan=lifespan)


async def call(state):
    async with state.permits:
        return (await state.client.get(URL)).raise_for_status().text


@app.get("/")
async def index(request: Request):
    try:
        return await asyncio.gather(*(call(request.state) for _ in range(5)))
    except httpx.HTTPError:
        raise HTTPException(502)
