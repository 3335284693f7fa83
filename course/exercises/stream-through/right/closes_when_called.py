# a response class that closes the upstream's response when it has been called
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

KEPT = ("content-type", "content-length", "content-encoding")


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient() as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


class Through(StreamingResponse):
    def __init__(self, upstream):
        self.upstream = upstream
        super().__init__(
            upstream.aiter_raw(), headers={n: v for n, v in upstream.headers.items() if n in KEPT}
        )

    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.upstream.aclose()


@app.get("/download")
async def download(request: Request):
    c = request.state.client
    try:
        up = await c.send(c.build_request("GET", URL), stream=True)
    except httpx.TransportError:
        raise HTTPException(502)
    if up.status_code == 404:
        await up.aclose()
        raise HTTPException(404)
    return Through(up)
