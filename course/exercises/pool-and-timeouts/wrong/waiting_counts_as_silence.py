# caught by: a short wait for a connection is no failure
import asyncio
from contextlib import asynccontextmanager
import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    limits = httpx.Limits(max_connections=10)
    async with httpx.AsyncClient(timeout=httpx.Timeout(None, pool=1), limits=limits) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    client = request.state.client
    try:
        async with asyncio.timeout(2):
            response = await client.send(client.build_request("GET", URL), stream=True)
        try:
            response.raise_for_status()
            await response.aread()
        finally:
            await response.aclose()
        return response.text
    except httpx.PoolTimeout:
        raise HTTPException(503, headers={"Retry-After": "1"})
    except TimeoutError:
        raise HTTPException(504)
    except httpx.HTTPError:
        raise HTTPException(502)
