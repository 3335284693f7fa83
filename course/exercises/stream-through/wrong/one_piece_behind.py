# caught by: the first bytes come early
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

KEPT = ("content-type", "content-length", "content-encoding")


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient() as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def opened(request: Request):
    client = request.state.client
    try:
        response = await client.send(client.build_request("GET", URL), stream=True)
    except httpx.TransportError as error:
        raise HTTPException(502) from error
    try:
        yield response
    finally:
        await response.aclose()


async def through(upstream):
    old = b""
    async for b in upstream.aiter_raw(100_000):
        yield old
        old = b
    yield old


@app.get("/download")
async def download(upstream: Annotated[httpx.Response, Depends(opened)]):
    if upstream.status_code == 404:
        raise HTTPException(404)
    headers = {name: upstream.headers[name] for name in KEPT if name in upstream.headers}
    return StreamingResponse(through(upstream), headers=headers)
