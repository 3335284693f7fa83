# no framework: an ASGI app that listens for its caller's leaving itself
import anyio
import httpx

KEEP = {b"content-type", b"content-length", b"content-encoding"}


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        async with httpx.AsyncClient(timeout=None) as client:
            scope["state"]["client"] = client
            await send({"type": "lifespan.startup.complete"})
            await receive()
        return await send({"type": "lifespan.shutdown.complete"})

    async def say(status):
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    if scope["path"] != "/download":
        return await say(404)

    async def serve(scope_):
        client = scope["state"]["client"]
        started = False
        try:
            async with client.stream("GET", URL) as r:
                if r.status_code == 404:
                    return await say(404)
                await send(
                    {
                        "type": "http.response.start",
                        "status": r.status_code,
                        "headers": [(k.lower(), v) for k, v in r.headers.raw if k.lower() in KEEP],
                    }
                )
                started = True
                async for b in r.aiter_raw():
                    await send({"type": "http.response.body", "body": b, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        except httpx.TransportError:
            if started:
                raise
            await say(502)
        finally:
            scope_.cancel()

    async with anyio.create_task_group() as tg:
        tg.start_soon(serve, tg.cancel_scope)
        while (await receive())["type"] != "http.disconnect":
            pass
        tg.cancel_scope.cancel()
