# TODO: pass the body on as it comes, instead of taking all of it first
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request, Response


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient() as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/download")
async def download(request: Request):
    upstream = await request.state.client.get(URL)
    if upstream.status_code == 404:
        raise HTTPException(404)
    return Response(upstream.content, media_type=upstream.headers["content-type"])
