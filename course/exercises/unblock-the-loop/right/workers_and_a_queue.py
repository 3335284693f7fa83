# Four workers take lookups from a queue: their number is the limit
from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app):
    q = asyncio.Queue()

    async def work():
        while True:
            key, future = await q.get()
            try:
                future.set_result(await asyncio.to_thread(legacy_lookup, key))
            except Exception as e:
                future.set_exception(e)

    ws = [asyncio.create_task(work()) for _ in range(4)]
    async with httpx.AsyncClient(timeout=httpx.Timeout(None)) as client:
        app.state.q, app.state.client = q, client
        yield
    for w in ws:
        w.cancel()
    await asyncio.gather(*ws, return_exceptions=True)


app = FastAPI(lifespan=lifespan)


@app.get("/legacy/{key}")
async def legacy(key: str):
    f = asyncio.get_running_loop().create_future()
    await app.state.q.put((key, f))
    return {"value": await f}


@app.get("/crunch/{n}")
async def c(n: int):
    return {"value": await asyncio.to_thread(crunch, n)}


@app.get("/pause")
async def p():
    r = await app.state.client.get(URL)
    r.raise_for_status()
    return {"paused": True}
