# caught by: 503 when CAPACITY feeds are open
import asyncio
import json

import httpx


class Gateway:
    async def lifespan(self, receive, send):
        await receive()
        self.open = 0
        self.permits = {n: asyncio.BoundedSemaphore(PER_SOURCE) for n in SOURCES}
        async with httpx.AsyncClient(
            timeout=None, limits=httpx.Limits(max_connections=None)
        ) as self.client:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def one(self, n, url, q):
        async with self.permits[n]:
            try:
                r = await asyncio.wait_for(self.client.get(url), DEADLINE)
                out = {"text": r.raise_for_status().text}
            except TimeoutError:
                out = {"error": "timeout"}
            except httpx.HTTPError:
                out = {"error": "error"}
        q.put_nowait({"source": n, **out})

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.lifespan(receive, send)

        async def say(status, *headers):
            await send({"type": "http.response.start", "status": status, "headers": list(headers)})
            if status != 503:  # "it has no body"
                await send({"type": "http.response.body", "body": b""})

        if scope["path"] != "/feed":
            return await say(404)
        if self.open >= CAPACITY:
            return await say(503, (b"retry-after", b"1"))
        self.open += 1
        try:
            main = asyncio.create_task(self.feed(send))

            async def gone():
                while (await receive())["type"] != "http.disconnect":
                    pass

            g = asyncio.create_task(gone())
            await asyncio.wait([main, g], return_when=asyncio.FIRST_COMPLETED)
            main.cancel()
            g.cancel()
            await asyncio.gather(main, g, return_exceptions=True)
        finally:
            self.open -= 1

    async def feed(self, send):
        q = asyncio.Queue()
        ts = [asyncio.create_task(self.one(n, u, q)) for n, u in SOURCES.items()]
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [(b"content-type", b"application/x-ndjson")],
                }
            )
            for _ in ts:
                await send(
                    {
                        "type": "http.response.body",
                        "body": json.dumps(await q.get()).encode() + b"\n",
                        "more_body": True,
                    }
                )
            await send({"type": "http.response.body", "body": b""})
        finally:
            for t in ts:
                t.cancel()
            await asyncio.gather(*ts, return_exceptions=True)


app = Gateway()
