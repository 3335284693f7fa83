"""A rehearsal: an app started, called and stopped before any answer is there. (POSIX)

What is imported and built at first use, and what the interpreter learns of code that has run, is
then there for every process that is forked. A file is its address: it needs no network.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from typing import Any

import fastapi
import httpx
from fastapi.responses import PlainTextResponse

from unblocked.grading.answer_process import Server

CALLS = 5
"""At a time, twice: the interpreter has seen enough of them then."""


def rehearse() -> None:
    """Serve a small app, and call it, in a loop of its own that is closed again."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # a socket's whole path may be too long for the system
        asyncio.run(_serve("rehearsal"))
        os.chdir("/")  # where it was may be gone by now, and each answer has a folder of its own
    tempfile.tempdir = None  # each answer has a place of its own, and has yet to look for it


def _app() -> fastapi.FastAPI:
    app = fastapi.FastAPI()

    @app.post("/")
    async def echo(body: dict[str, Any]) -> dict[str, Any]:
        return body

    @app.get("/", response_class=PlainTextResponse)
    async def text(_: fastapi.Request) -> str:
        return "characters " * 6

    return app


async def _serve(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        server = Server(_app(), log_config=None)
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        await server.begun.wait()
        transport = httpx.AsyncHTTPTransport(uds=path, verify=False)  # reads no certificates
        async with httpx.AsyncClient(transport=transport, base_url="http://rehearsal") as client:
            await client.get("/missing")
            await client.post("/", json={})
            for _ in range(2):
                await asyncio.gather(*(_streamed(client) for _ in range(CALLS)))
        server.leave()
        await serving


async def _streamed(client: httpx.AsyncClient) -> str:
    async with client.stream("GET", "/") as response:
        response.raise_for_status()
        return "".join([piece async for piece in response.aiter_text()])
