# answers as they come, sent by a StreamingResponse once all have come
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app: FastAPI):
    client = httpx.AsyncClient(
        limits=httpx.Limits(max_connections=10, max_keepalive_connections=5),
        timeout=httpx.Timeout(5, read=15),
    )
    async with client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def beginning(client):
    async with client.stream("GET", URL) as response:
        if response.status_code >= 400:
            raise httpx.HTTPError(f"status {response.status_code}")
        text = ""
        async for character in response.aiter_text(chunk_size=1):
            text += character
            if len(text) == 50:
                break
        return text


@app.get("/")
async def root(request: Request):
    tasks = {asyncio.create_task(beginning(request.state.client)) for _ in range(5)}
    lines = []
    try:
        for next_done in asyncio.as_completed(tasks):
            lines.append(await next_done)
    except httpx.HTTPError as error:
        raise HTTPException(502) from error
    finally:
        for task in tasks:
            task.cancel()

    async def body():
        for line in lines:
            yield line + "\n"

    return StreamingResponse(body(), media_type="text/plain")
