# caught by: lets go when one call fails
# The others are cancelled when a status is bad, and not when a connection is lost.
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=5)
TIMEOUT = httpx.Timeout(5, read=15)


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient(limits=LIMITS, timeout=TIMEOUT) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def first_characters(client: httpx.AsyncClient, count: int = 50) -> str:
    text = ""
    async with client.stream("GET", URL) as response:
        response.raise_for_status()
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= count:
                break
    return text[:count]


@app.get("/", response_class=PlainTextResponse)
async def index(request: Request):
    tasks = [asyncio.create_task(first_characters(request.state.client)) for _ in range(5)]
    try:
        return "\n".join(await asyncio.gather(*tasks))
    except httpx.HTTPStatusError as error:
        for task in tasks:
            task.cancel()
        raise HTTPException(502) from error
    except httpx.HTTPError as error:
        raise HTTPException(502) from error
