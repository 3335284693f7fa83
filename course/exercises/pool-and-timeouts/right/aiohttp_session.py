# aiohttp: a connector of ten, its own clocks
from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=10),
        timeout=aiohttp.ClientTimeout(total=None, connect=1, sock_read=2),
    )
    async with session:
        yield {"session": session}


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    try:
        async with request.state.session.get(URL, raise_for_status=True) as response:
            return await response.text()
    except aiohttp.ConnectionTimeoutError as error:
        raise HTTPException(503, headers={"Retry-After": "1"}) from error
    except aiohttp.SocketTimeoutError as error:
        raise HTTPException(504) from error
    except aiohttp.ClientError as error:
        raise HTTPException(502) from error
