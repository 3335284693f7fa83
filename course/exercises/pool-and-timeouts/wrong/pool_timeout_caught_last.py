# caught by: too long without a connection is a 503
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=10)
PATIENCE = httpx.Timeout(2, pool=1)


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient(limits=LIMITS, timeout=PATIENCE) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    try:
        response = await request.state.client.get(URL)
        response.raise_for_status()
    except httpx.TimeoutException as error:
        raise HTTPException(504, "the upstream is silent") from error
    except httpx.PoolTimeout as error:  # never reached
        raise HTTPException(503, "all connections are busy", {"Retry-After": "1"}) from error
    except httpx.HTTPError as error:
        raise HTTPException(502, "the upstream failed") from error
    return response.text
