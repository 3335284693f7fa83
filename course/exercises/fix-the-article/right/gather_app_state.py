# gather that cancels the siblings itself, the client on app.state, streams through send()
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    app.state.client = httpx.AsyncClient(
        limits=httpx.Limits(max_connections=10, max_keepalive_connections=5),
        timeout=httpx.Timeout(5.0, read=15.0),
    )
    try:
        yield
    finally:
        await app.state.client.aclose()


app = FastAPI(lifespan=lifespan)


async def send(client):
    response = await client.send(client.build_request("GET", URL), stream=True)
    try:
        response.raise_for_status()
        text = ""
        async for piece in response.aiter_text(50):
            text += piece
            if len(text) >= 50:
                return text[:50]
        return text
    finally:
        await response.aclose()


@app.get("/")
async def root():
    tasks = [asyncio.create_task(send(app.state.client)) for _ in range(5)]
    try:
        lines = await asyncio.gather(*tasks)
    except httpx.HTTPError:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return PlainTextResponse("bad gateway", status_code=502)
    return PlainTextResponse("\n".join(lines))
