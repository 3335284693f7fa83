# aiohttp instead of HTTPX
from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app):
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield {"session": session}


app = FastAPI(lifespan=lifespan)


@app.get("/download")
async def download(request: Request):
    try:
        upstream = await request.state.session.get(URL)
    except aiohttp.ClientError:
        raise HTTPException(502)
    if upstream.status >= 400:
        upstream.close()
        raise HTTPException(upstream.status)

    async def body():
        async with upstream:
            async for piece in upstream.content.iter_any():
                yield piece

    kept = ("content-type", "content-length", "content-encoding")
    headers = {name: upstream.headers[name] for name in kept if name in upstream.headers}
    return StreamingResponse(body(), headers=headers)
