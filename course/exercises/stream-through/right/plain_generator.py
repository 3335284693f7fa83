# a plain generator, run in threads: it may block
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask


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

    named = {k: v for k, v in upstream.headers.items() if k.startswith("content-")}
    closing = BackgroundTask(upstream.close)  # also when the caller leaves: no thread is cancelled
    return StreamingResponse(upstream.iter_raw(), headers=named, background=closing)
