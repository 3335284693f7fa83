# caught by: callers do not starve each other
import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=5)
TIMEOUT = httpx.Timeout(5.0, read=15.0)


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(limits=LIMITS, timeout=TIMEOUT) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def opened(client, stack):
    return await stack.enter_async_context(client.stream("GET", URL))


async def first(response):
    response.raise_for_status()
    text = ""
    async for piece in response.aiter_text():
        text += piece
        if len(text) >= 50:
            break
    return text[:50]


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    client = request.state.client
    try:
        async with AsyncExitStack() as stack:
            tasks = []
            for _ in range(5):
                tasks.append(asyncio.create_task(opened(client, stack)))
                await asyncio.sleep(0.01)
            responses = await asyncio.gather(*tasks)
            return "\n".join(await asyncio.gather(*[first(r) for r in responses]))
    except httpx.HTTPError as error:
        raise HTTPException(502) from error
