# caught by: all sources at once
import asyncio
import json

import httpx


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        async with httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None)) as c:
            scope["state"]["c"] = c
            await send({"type": "lifespan.startup.complete"})
            await receive()
        return await send({"type": "lifespan.shutdown.complete"})
    status, out = 404, {}
    if scope["path"] == "/summary":
        c, q = scope["state"]["c"], asyncio.Queue()

        async def one(n, u):
            try:
                q.put_nowait((n, "ok", (await c.get(u)).raise_for_status().text))
            except httpx.HTTPError:
                q.put_nowait((n, "failed", "error"))

        ts = [asyncio.ensure_future(one(*s)) for s in SOURCES.items()]
        out, left = {"ok": {}, "failed": {}}, set(SOURCES)
        try:
            async with asyncio.timeout(DEADLINE):
                while left:
                    n, k, t = await q.get()
                    out[k][n] = t
                    left.remove(n)
        except TimeoutError:
            pass
        for t in ts:
            t.cancel()
        await asyncio.wait(ts)
        out["failed"] |= {n: "timeout" for n in left}
        status = 200 if out["ok"] else 502
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json")],
        }
    )
    body = json.dumps(out).encode()
    await send({"type": "http.response.body", "body": body, "more_body": True})
