# caught by: each line as soon as it is there
import asyncio
import json
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient() as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def line_of(client, name, url):
    response = await client.get(url)
    return json.dumps({"source": name, "text": response.text}) + "\n"


# TODO: nothing is sent before all is there, nothing is limited, nothing may fail, hang or leave.
async def lines(client):
    for line in await asyncio.gather(*(line_of(client, *source) for source in SOURCES.items())):
        yield line


@app.get("/feed")
async def feed(request: Request):
    return StreamingResponse(lines(request.state.client), media_type="application/x-ndjson")
