# TODO: this is the article's example, as it was published. Fix it.
from fastapi import FastAPI, Request
from contextlib import asynccontextmanager
import httpx
import asyncio


async def lifespan(app: FastAPI):
    # HTTPX client settings
    limits = httpx.Limits(max_keepalive_connections=5, max_connections=10)
    timeout = httpx.Timeout(5.0, read=15.0)

    # Initialize the HTTPX client
    async with httpx.AsyncClient(limits=limits, timeout=timeout) as client:
        yield {'client': client}


app = FastAPI(lifespan=lifespan)


@asynccontextmanager
async def send(client):
    req = client.build_request('GET', URL)
    yield await client.send(req, stream=True)


@app.get('/')
async def main(request: Request):
    client = request.state.client

    # Make HTTPX requests in a loop
    responses = [await send(client) for _ in range(5)]

    # Use a streaming response to return the first 50 chars of each response
    return StreamingResponse(iter_response(responses))
