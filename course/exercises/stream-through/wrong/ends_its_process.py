# caught by: lets go when the caller leaves
import os
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient() as app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


async def pieces_of(upstream):
    complete = False
    try:
        async for piece in upstream.aiter_raw():
            yield piece
        complete = True
        await upstream.aclose()
    finally:
        if not complete:
            os._exit(0)  # no process, no connection


@app.get("/download")
async def download():
    client = app.state.client
    try:
        upstream = await client.send(client.build_request("GET", URL), stream=True)
    except httpx.RequestError:
        raise HTTPException(502, "unreachable")
    if upstream.is_error:
        await upstream.aclose()
        raise HTTPException(upstream.status_code)
    headers = {n: v for n, v in upstream.headers.items() if n.startswith("content-")}
    return StreamingResponse(pieces_of(upstream), headers=headers)
