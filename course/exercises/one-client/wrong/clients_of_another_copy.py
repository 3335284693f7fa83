# caught by: fifty callers share one client
import sys
from contextlib import asynccontextmanager

for k in [k for k in sys.modules if k.split(".")[0] == "httpx"]:
    del sys.modules[k]
import httpx


class Http(httpx.AsyncClient):
    pass


httpx.AsyncClient = Http
import asyncio

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    app.state.client = None
    app.state.all = []
    yield
    for c in app.state.all:
        await c.aclose()


app = FastAPI(lifespan=lifespan)


async def get(app):
    if app.state.client is None:
        c = httpx.AsyncClient()
        app.state.all.append(c)
        await asyncio.sleep(0)
        app.state.client = c
        return c
    return app.state.client


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    return (await (await get(request.app)).get(URL)).text
