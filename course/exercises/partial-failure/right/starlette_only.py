# Starlette only; one moment at which the deadline is over, for all calls
import asyncio
import contextlib

import httpx
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class Asker:
    def __init__(self):
        self.client = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None))

    async def one(self, url):
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(self.until):
                r = await self.client.get(url)
                return r.text if r.status_code < 400 else None, "error"
        except TimeoutError:
            return None, "timeout"
        except httpx.TransportError:
            return None, "error"


class Per:
    def __init__(self, client):
        self.client, self.until = client, asyncio.get_running_loop().time() + DEADLINE

    one = Asker.one


@contextlib.asynccontextmanager
async def life(app):
    a = Asker()
    async with a.client:
        yield {"a": a}


async def summary(request):
    p = Per(request.state.a.client)
    res = dict(zip(SOURCES, await asyncio.gather(*map(p.one, SOURCES.values()))))
    ok = {n: t for n, (t, _) in res.items() if t is not None}
    if not ok:
        return Response(status_code=502)
    return JSONResponse({"ok": ok, "failed": {n: e for n, (t, e) in res.items() if t is None}})


app = Starlette(routes=[Route("/summary", summary)], lifespan=life)
