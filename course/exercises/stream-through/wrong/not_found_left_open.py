# caught by: lets go after a 404
import httpx
from contextlib import asynccontextmanager
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.background import BackgroundTask

KEPT = ("content-type", "content-length", "content-encoding")


@asynccontextmanager
async def lifespan(app):
    app.state.client = httpx.AsyncClient(timeout=None)
    yield
    await app.state.client.aclose()


app = FastAPI(lifespan=lifespan)


@app.get("/download")
async def download():
    client = app.state.client
    request = client.build_request("GET", URL)
    try:
        upstream = await client.send(request, stream=True)
    except httpx.HTTPError:
        return PlainTextResponse("no upstream", status_code=502)
    if upstream.status_code >= 400:
        return PlainTextResponse("not there", status_code=upstream.status_code)
    headers = {name: upstream.headers[name] for name in KEPT if name in upstream.headers}
    return StreamingResponse(
        upstream.aiter_raw(), headers=headers, background=BackgroundTask(upstream.aclose)
    )
