# AnyIO: a semaphore, and scopes that move on after a second or two
from contextlib import asynccontextmanager

import anyio
import httpx
from fastapi import FastAPI, Request, Response


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=10)) as client:
        app.state.client, app.state.limiter = client, anyio.Semaphore(10)
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def root(request: Request):
    st = request.app.state
    with anyio.move_on_after(1) as scope:
        await st.limiter.acquire()
    if scope.cancelled_caught:
        return Response("full", 503, {"Retry-After": "1"})
    try:
        response = None
        with anyio.move_on_after(2):
            response = await st.client.send(st.client.build_request("GET", URL), stream=True)
        if response is None:
            return Response("silent", 504)
        try:
            if response.is_error:
                return Response("bad", 502)
            return Response(await response.aread(), media_type="text/plain; charset=utf-8")
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()
    except httpx.HTTPError:
        return Response("bad", 502)
    finally:
        st.limiter.release()
