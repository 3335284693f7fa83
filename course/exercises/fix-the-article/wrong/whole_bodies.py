# caught by: streams
import asyncio
from contextlib import asynccontextmanager

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


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    client = request.state.client
    try:
        responses = await asyncio.gather(*[client.get(URL) for _ in range(5)])
        return "\n".join(r.raise_for_status().text[:50] for r in responses)
    except httpx.HTTPError as error:
        raise HTTPException(502) from error
