# a plain `def` endpoint: the synchronous client has the same limits and timeouts, and waits in threads
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    limits = httpx.Limits(max_connections=10)
    with httpx.Client(limits=limits, timeout=httpx.Timeout(2, pool=1)) as app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
def root():
    try:
        return app.state.client.get(URL).raise_for_status().text
    except httpx.PoolTimeout as error:
        raise HTTPException(503, headers={"Retry-After": "1"}) from error
    except httpx.ReadTimeout as error:
        raise HTTPException(504) from error
    except httpx.HTTPError as error:
        raise HTTPException(502) from error
