# whatever the upstream answers is passed on, its errors too; pieces of 64 KiB
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "date", "server"}


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=httpx.Timeout(5, read=60)) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/download")
async def download(request: Request):
    client = request.state.client
    try:
        upstream = await client.send(client.build_request("GET", URL), stream=True)
    except httpx.TransportError as error:
        raise HTTPException(502) from error

    async def body():
        try:
            async for piece in upstream.aiter_raw(65536):
                yield piece
        finally:
            await upstream.aclose()

    headers = {k: v for k, v in upstream.headers.items() if k not in HOP_BY_HOP}
    return StreamingResponse(body(), upstream.status_code, headers)
