# caught by: the first bytes come early
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

KEPT = ("content-type", "content-length", "content-encoding")


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient() as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def opened(request: Request):
    try:
        async with request.state.client.stream("GET", URL) as response:
            yield response
    except httpx.TransportError as error:
        raise HTTPException(502, "the upstream cannot be reached") from error


@app.get("/download")
async def download(upstream: Annotated[httpx.Response, Depends(opened)]):
    if upstream.status_code == 404:
        raise HTTPException(404)
    headers = {name: upstream.headers[name] for name in KEPT if name in upstream.headers}
    return StreamingResponse(upstream.aiter_raw(chunk_size=1_000_000), headers=headers)
