# caught by: starts and stops cleanly

import anyio
import anyio.to_thread
import httpx
from fastapi import FastAPI

app = FastAPI()
client = httpx.AsyncClient(timeout=60)


limiter = anyio.CapacityLimiter(4)


@app.get("/legacy/{key}")
async def legacy(key: str):
    return {"value": await anyio.to_thread.run_sync(legacy_lookup, key, limiter=limiter)}


@app.get("/crunch/{n}")
def crunched(n: int):
    return {"value": crunch(n)}


@app.get("/pause")
async def pause():
    await client.get(URL)
    return {"paused": True}
