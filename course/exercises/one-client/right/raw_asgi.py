# No framework: the ASGI messages that a lifespan is made of, written out
import httpx

client = None


async def app(scope, receive, send):
    global client
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                client = httpx.AsyncClient()
                await send({"type": "lifespan.startup.complete"})
            else:
                await client.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return
    if scope["path"] != "/":
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    text = (await client.get(URL)).content
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain; charset=utf-8")],
        }
    )
    await send({"type": "http.response.body", "body": text})
