# a client for each request, and asyncio.wait_for
import asyncio

import httpx
from fastapi import FastAPI, HTTPException

app = FastAPI()


async def ask(client, url):
    try:
        response = await asyncio.wait_for(client.get(url), DEADLINE)
        response.raise_for_status()
    except (TimeoutError, httpx.TimeoutException):
        return None, "timeout"
    except httpx.HTTPError:
        return None, "error"
    return response.text, None


@app.get("/summary")
async def summary():
    async with httpx.AsyncClient(timeout=DEADLINE) as client:
        results = await asyncio.gather(*[ask(client, url) for url in SOURCES.values()])
    by_name = dict(zip(SOURCES, results))
    ok = {name: text for name, (text, reason) in by_name.items() if reason is None}
    if not ok:
        raise HTTPException(502, "all sources failed")
    return {"ok": ok, "failed": {name: reason for name, (_, reason) in by_name.items() if reason}}
