# no framework: an ASGI app that speaks the lifespan's messages itself
import httpx

client = None


async def app(scope, receive, send):
    global client
    if scope["type"] == "lifespan":
        await receive()
        async with httpx.AsyncClient(
            limits=httpx.Limits(max_connections=10), timeout=httpx.Timeout(2, pool=1)
        ) as client:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    status, body, more = 404, b"no", []
    if scope["path"] == "/":
        try:
            r = await client.get(URL)
            status, body = (200, r.content) if r.status_code < 400 else (502, b"bad")
        except httpx.PoolTimeout:
            status, more = 503, [(b"retry-after", b"1")]
        except httpx.TimeoutException:
            status = 504
        except httpx.TransportError:
            status = 502
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"text/plain"), *more],
        }
    )
    await send({"type": "http.response.body", "body": body})
