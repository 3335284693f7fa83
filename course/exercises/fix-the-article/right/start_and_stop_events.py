# the client is opened and closed by the older events startup and shutdown
import asyncio

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse

app = FastAPI()


@app.on_event("shutdown")
async def down():
    await app.state.client.aclose()


@app.on_event("startup")
async def up():
    app.state.client = httpx.AsyncClient(
        limits=httpx.Limits(max_connections=10, max_keepalive_connections=5),
        timeout=httpx.Timeout(5, read=15),
    )


async def first(client):
    async with client.stream("GET", URL) as r:
        r.raise_for_status()
        text = ""
        async for piece in r.aiter_text():
            text += piece
            if len(text) >= 50:
                break
        return text[:50]


@app.get("/", response_class=PlainTextResponse)
async def index():
    failed = None
    try:
        async with asyncio.TaskGroup() as g:
            ts = [g.create_task(first(app.state.client)) for _ in range(5)]
    except* httpx.HTTPError as e:
        failed = e
    if failed:
        raise HTTPException(502)
    return "\n".join(t.result() for t in ts)
