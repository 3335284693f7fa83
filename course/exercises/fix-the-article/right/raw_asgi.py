# no framework: an ASGI app that speaks the lifespan's messages itself
import asyncio
import codecs

import httpx


class App:
    client = None

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                m = await receive()
                if m["type"] == "lifespan.startup":
                    self.client = httpx.AsyncClient(
                        limits=httpx.Limits(max_connections=10, max_keepalive_connections=5),
                        timeout=httpx.Timeout(5, read=15),
                    )
                    await send({"type": "lifespan.startup.complete"})
                else:
                    await self.client.aclose()
                    await send({"type": "lifespan.shutdown.complete"})
                    return
        if scope["path"] != "/":
            return await self.say(send, 404, b"")
        tasks = [asyncio.ensure_future(self.one()) for _ in range(5)]
        try:
            lines = await asyncio.gather(*tasks)
        except (httpx.HTTPError, OSError):
            for t in tasks:
                t.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return await self.say(send, 502, b"bad gateway")
        await self.say(send, 200, "\n".join(lines).encode())

    async def one(self):
        async with self.client.stream("GET", URL) as r:
            r.raise_for_status()
            d = codecs.getincrementaldecoder("utf-8")()
            text = ""
            async for b in r.aiter_bytes():
                text += d.decode(b)
                if len(text) >= 50:
                    break
            return text[:50]

    async def say(self, send, status, body):
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", b"text/plain; charset=utf-8")],
            }
        )
        await send({"type": "http.response.body", "body": body})


app = App()
