# caught by: a body that breaks off does not look complete
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


@app.middleware("http")
async def m(request, call_next):
    r = await call_next(request)

    async def safe():
        try:
            async for b in r.body_iterator:
                yield b
        except Exception:
            pass

    return StreamingResponse(safe(), r.status_code, dict(r.headers))


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


@app.get("/download")
async def download(upstream: Annotated[httpx.Response, Depends(opened)]):
    if upstream.status_code == 404:
        raise HTTPException(404)
    headers = {name: upstream.headers[name] for name in KEPT if name in upstream.headers}
    return StreamingResponse(upstream.aiter_raw(), headers=headers)
