# caught by: lets go when the caller leaves
import asyncio
import httpx
from contextlib import asynccontextmanager
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse

KEPT = ("content-type", "content-length", "content-encoding")


@asynccontextmanager
async def lifespan(app):
    app.state.client = httpx.AsyncClient(timeout=None)
    yield
    await app.state.client.aclose()


app = FastAPI(lifespan=lifespan)


readers = set()


async def read_into(queue, upstream):
    try:
        async for piece in upstream.aiter_raw():
            await queue.put(piece)
        await queue.put(None)
    except httpx.HTTPError as error:
        await queue.put(error)
    finally:
        await upstream.aclose()


@app.get("/download")
async def download():
    client = app.state.client
    request = client.build_request("GET", URL)
    try:
        upstream = await client.send(request, stream=True)
    except httpx.HTTPError:
        return PlainTextResponse("no upstream", status_code=502)
    if upstream.status_code >= 400:
        await upstream.aclose()
        return PlainTextResponse("not there", status_code=upstream.status_code)
    headers = {name: upstream.headers[name] for name in KEPT if name in upstream.headers}
    reader = asyncio.create_task(read_into(queue := asyncio.Queue(4), upstream))
    readers.add(reader)
    reader.add_done_callback(readers.discard)

    async def body():
        while (piece := await queue.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    return StreamingResponse(body(), headers=headers)
