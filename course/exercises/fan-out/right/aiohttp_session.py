# aiohttp's session, with the path already encoded
import asyncio
import uuid
from contextlib import asynccontextmanager
from urllib.parse import quote

import aiohttp
from fastapi import FastAPI, Request, Response
from yarl import URL as Y


@asynccontextmanager
async def lifespan(app):
    async with aiohttp.ClientSession(
        base_url=UPSTREAM, headers={"Authorization": f"Bearer {TOKEN}"}
    ) as s:
        yield {"s": s}


app = FastAPI(lifespan=lifespan)


@app.get("/dashboard/{user:path}")
async def dashboard(user: str, request: Request, response: Response):
    rid = request.headers.get("x-request-id") or uuid.uuid4().hex
    response.headers["x-request-id"] = rid
    if user in (".", ".."):
        response.status_code = 404
        return {}

    async def go(method, path, **kw):
        async with request.state.s.request(
            method, Y(path, encoded=True), headers={"X-Request-ID": rid}, **kw
        ) as r:
            return r.status, (await r.json() if r.status < 400 else None)

    got = await asyncio.gather(
        go("GET", "/users/" + quote(user, safe="")),
        go("GET", "/orders?user=" + quote(user, safe="")),
        go("GET", "/prices"),
        go("GET", "/status"),
        go("POST", "/recommendations", json={"user": user, "limit": 3}),
        return_exceptions=True,
    )
    if isinstance(got[0], tuple) and got[0][0] == 404:
        response.status_code = 404
        return {}
    if any(not isinstance(g, tuple) or g[0] >= 400 for g in got):
        response.status_code = 502
        return {}
    return dict(zip(("user", "orders", "prices", "status", "recommendations"), (g[1] for g in got)))
