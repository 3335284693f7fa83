# the client on app.state, handed out by a dependency
from contextlib import asynccontextmanager

import httpx
from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.client = httpx.AsyncClient(timeout=30)
    try:
        yield
    finally:
        await app.state.client.aclose()
        del app.state.client


app = FastAPI(lifespan=lifespan)


def shared_client(request: Request) -> httpx.AsyncClient:
    return request.app.state.client


@app.get("/")
async def root(client: httpx.AsyncClient = Depends(shared_client)) -> Response:
    upstream = await client.get(URL)
    return Response(upstream.text, media_type="text/plain")
