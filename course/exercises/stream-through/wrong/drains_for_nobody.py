# caught by: lets go when the caller leaves
import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient() as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def pieces_of(upstream, stack):
    queue, wanted = asyncio.Queue(maxsize=4), [True]

    async def read():
        try:
            async for piece in upstream.aiter_raw():
                if wanted:
                    await queue.put(piece)
            await queue.put(None)
        except httpx.HTTPError as error:
            await queue.put(error)

    async with stack:
        reader = asyncio.create_task(read())
        try:
            while (piece := await queue.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            wanted.clear()
            while not queue.empty():
                queue.get_nowait()
            with anyio.CancelScope(shield=True):
                await reader  # to the end, so that the connection can be used again


@app.get("/download")
async def download(request: Request):
    async with AsyncExitStack() as stack:
        try:
            upstream = await stack.enter_async_context(request.state.client.stream("GET", URL))
        except httpx.RequestError:
            raise HTTPException(502, "unreachable")
        if upstream.is_error:
            raise HTTPException(upstream.status_code)
        headers = {
            name: value
            for name, value in upstream.headers.items()
            if name.startswith("content-")
        }
        return StreamingResponse(pieces_of(upstream, stack.pop_all()), headers=headers)
