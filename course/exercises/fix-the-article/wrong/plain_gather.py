# caught by: lets go when one call fails
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import Response


@asynccontextmanager
async def lifespan(app: FastAPI):
    limits = httpx.Limits(max_connections=10, max_keepalive_connections=5)
    timeout = httpx.Timeout(connect=5, read=15, write=5, pool=5)
    async with httpx.AsyncClient(limits=limits, timeout=timeout) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


def get_client(request: Request) -> httpx.AsyncClient:
    return request.app.state.client


async def fetch(client: httpx.AsyncClient) -> str:
    collected: list[str] = []
    async with client.stream("GET", URL) as response:
        response.raise_for_status()
        async for text in response.aiter_text():
            collected.append(text)
            if sum(map(len, collected)) >= 50:
                break
    return "".join(collected)[:50]


@app.get("/")
async def root(client: httpx.AsyncClient = Depends(get_client)) -> Response:
    try:
        lines = await asyncio.gather(*(fetch(client) for _ in range(5)))
    except (httpx.HTTPStatusError, httpx.RequestError) as error:
        raise HTTPException(status_code=502, detail=str(error)) from error
    return Response("\n".join(lines), media_type="text/plain")
