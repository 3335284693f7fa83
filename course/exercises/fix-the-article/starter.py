# TODO: this is the article's example, as it was published. Repair it.
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request


async def lifespan(app: FastAPI):
    async with httpx.AsyncClient(
        limits=httpx.Limits(max_connections=10, max_keepalive_connections=5),
        timeout=httpx.Timeout(5.0, read=15.0),
    ) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@asynccontextmanager
async def send(client: httpx.AsyncClient):
    request = client.build_request("GET", URL)
    return await client.send(request, stream=True)


@app.get("/")
async def root(request: Request):
    client = request.state.client
    responses = []
    for _ in range(5):
        responses.append(await send(client))
    return StreamingResponse(iter_response(responses), media_type="text/plain")
