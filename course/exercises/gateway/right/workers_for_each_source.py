# Starlette only; each source has a queue of calls and as many workers as it bears
import asyncio
import contextlib
import json

import httpx
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


class Source:
    """a queue of jobs, and as many workers as the source bears"""

    def __init__(self, name, url, client):
        self.name, self.url, self.client, self.jobs = name, url, client, asyncio.Queue()

    async def work(self):
        while True:
            fut = await self.jobs.get()
            if fut.done():
                continue
            t = asyncio.create_task(self.ask())
            fut.add_done_callback(lambda f, t=t: t.cancel())
            await asyncio.wait([t])
            if not fut.done():
                fut.set_result({"source": self.name, **t.result()})

    async def ask(self):
        try:
            async with asyncio.timeout(DEADLINE):
                r = await self.client.get(self.url)
            return {"text": r.text} if r.is_success else {"error": "error"}
        except TimeoutError:
            return {"error": "timeout"}
        except httpx.TransportError:
            return {"error": "error"}


@contextlib.asynccontextmanager
async def life(app):
    async with httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None)) as c:
        ss = [Source(n, u, c) for n, u in SOURCES.items()]
        ws = [asyncio.create_task(s.work()) for s in ss for _ in range(PER_SOURCE)]
        try:
            yield {"ss": ss, "room": [CAPACITY]}
        finally:
            for w in ws:
                w.cancel()
            await asyncio.gather(*ws, return_exceptions=True)


async def feed(request):
    room = request.state.room
    if not room[0]:
        return Response("full", 503, {"retry-after": "5"})
    room[0] -= 1
    futs = [asyncio.get_running_loop().create_future() for _ in SOURCES]
    for s, f in zip(request.state.ss, futs):
        s.jobs.put_nowait(f)

    async def body():
        try:
            for f in asyncio.as_completed(futs):
                yield json.dumps(await f) + "\n"
        finally:
            for f in futs:
                f.cancel()
            room[0] += 1

    b = body()

    class R(StreamingResponse):
        async def __call__(self, scope, receive, send):
            try:
                await super().__call__(scope, receive, send)
            finally:
                await b.aclose()

    return R(b, media_type="application/jsonl")


app = Starlette(routes=[Route("/feed", feed)], lifespan=life)
