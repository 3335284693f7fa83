# caught by: the body comes through, byte for byte
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

KEPT = ("content-type", "content-length", "content-encoding")


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient() as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/download")
async def download(request: Request):
    try:
        async with request.state.client.stream("GET", URL) as upstream:
            if upstream.status_code == 404:
                raise HTTPException(404)
            headers = {k: upstream.headers[k] for k in KEPT if k in upstream.headers}
            return StreamingResponse(upstream.aiter_raw(), headers=headers)
    except httpx.TransportError as error:
        raise HTTPException(502, "the upstream cannot be reached") from error
