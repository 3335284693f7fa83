# caught by: a slow caller slows the upstream down
import asyncio
import tempfile
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

ROOM = 12 << 20
KEPT = ("content-type", "content-length", "content-encoding")


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient() as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def opened(request: Request):
    try:
        async with request.state.client.stream("GET", URL) as response:
            yield response
    except httpx.TransportError as error:
        raise HTTPException(502, "the upstream cannot be reached") from error


@app.get("/download")
async def download(upstream: Annotated[httpx.Response, Depends(opened)]):
    if upstream.status_code == 404:
        raise HTTPException(404)
    headers = {name: upstream.headers[name] for name in KEPT if name in upstream.headers}

    spool = tempfile.TemporaryFile()
    changed = asyncio.Condition()
    state = {"written": 0, "over": False, "error": None}

    async def fill():
        try:
            async for piece in upstream.aiter_raw():
                async with changed:
                    spool.seek(state["written"] % ROOM)
                    spool.write(piece)
                    state["written"] += len(piece)
                    changed.notify_all()
        except httpx.HTTPError as error:
            state["error"] = error
        async with changed:
            state["over"] = True
            changed.notify_all()

    async def body():
        filler = asyncio.create_task(fill())
        read = 0
        try:
            while True:
                async with changed:
                    await changed.wait_for(lambda: state["written"] > read or state["over"])
                    if state["error"]:
                        raise state["error"]
                    if state["written"] == read:
                        return
                    spool.seek(read % ROOM)
                    piece = spool.read(min(65536, state["written"] - read))
                read += len(piece)
                yield piece
        finally:
            filler.cancel()
            spool.close()

    return StreamingResponse(body(), headers=headers)
