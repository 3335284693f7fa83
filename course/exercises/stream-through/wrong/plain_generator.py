# caught by: lets go when the caller leaves
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app):
    with httpx.Client() as app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/download")
def download():
    request = app.state.client.build_request("GET", URL)
    try:
        upstream = app.state.client.send(request, stream=True)
    except httpx.TransportError:
        raise HTTPException(502)
    if upstream.status_code == 404:
        upstream.close()
        raise HTTPException(404)

    def body():
        try:
            yield from upstream.iter_raw()
        finally:
            upstream.close()

    named = {k: upstream.headers[k] for k in ("content-type", "content-length", "content-encoding") if k in upstream.headers}
    return StreamingResponse(body(), headers=named)
