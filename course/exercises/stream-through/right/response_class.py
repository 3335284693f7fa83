# a response that opens the stream itself, and so closes it: no generator is left to anybody
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, Response

client: httpx.AsyncClient


@asynccontextmanager
async def lifespan(app):
    global client
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=None)) as client:
        yield


class Passed(Response):
    def __init__(self, url):
        self.url = url
        self.background = None
        self.status_code = 200
        self.raw_headers = []

    async def __call__(self, scope, receive, send):
        passing = asyncio.create_task(self._pass_on(scope, receive, send))
        leaving = asyncio.create_task(self._left(receive))
        done, pending = await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        if passing in done:
            passing.result()

    async def _left(self, receive):
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _pass_on(self, scope, receive, send):
        try:
            async with client.stream("GET", self.url) as upstream:
                if upstream.status_code != 200:
                    plain = PlainTextResponse("no", status_code=upstream.status_code)
                    return await plain(scope, receive, send)
                kept = (b"content-type", b"content-length", b"content-encoding")
                headers = [(k.lower(), v) for k, v in upstream.headers.raw if k.lower() in kept]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                async for piece in upstream.aiter_raw():
                    message = {"type": "http.response.body", "body": piece, "more_body": True}
                    await send(message)
                await send({"type": "http.response.body", "body": b""})
        except httpx.TransportError:
            await PlainTextResponse("unreachable", status_code=502)(scope, receive, send)


app = FastAPI(lifespan=lifespan)


@app.get("/download")
async def download(request: Request):
    return Passed(URL)
