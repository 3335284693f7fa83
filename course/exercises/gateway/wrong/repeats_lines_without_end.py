# caught by: each line as soon as it is there
import json
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=None) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def lines(client):
    told = {}
    while True:  # nobody ever says that this was all
        for name, url in SOURCES.items():
            if name not in told:
                told[name] = (await client.get(url)).text
            yield json.dumps({"source": name, "text": told[name]}) + "\n"


@app.get("/feed")
async def feed(request: Request):
    return StreamingResponse(lines(request.state.client), media_type="application/x-ndjson")
