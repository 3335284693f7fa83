# the failures are translated in one place, by exception handlers
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response

client: httpx.AsyncClient


@asynccontextmanager
async def lifespan(app):
    global client
    timeout = httpx.Timeout(connect=3, read=2, write=3, pool=1)
    limits = httpx.Limits(max_connections=10)
    async with httpx.AsyncClient(limits=limits, timeout=timeout) as client:
        yield


app = FastAPI(lifespan=lifespan)
STATUS = {httpx.PoolTimeout: 503, httpx.ReadTimeout: 504}


@app.exception_handler(httpx.HTTPError)
async def failed(request: Request, error: httpx.HTTPError):
    status = STATUS.get(type(error), 502)
    headers = {"Retry-After": "3"} if status == 503 else {}
    return PlainTextResponse(type(error).__name__, status, headers)


@app.get("/")
async def root():
    async with client.stream("GET", URL) as response:
        response.raise_for_status()
        body = await response.aread()
    return Response(body, media_type="text/plain")
