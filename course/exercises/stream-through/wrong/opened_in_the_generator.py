# caught by: a 404 is a 404, unreachable a 502
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient() as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/download")
async def download(request: Request):
    async def body():
        async with request.state.client.stream("GET", URL) as upstream:
            async for piece in upstream.aiter_raw():
                yield piece

    return StreamingResponse(body(), media_type="application/x-tar")
