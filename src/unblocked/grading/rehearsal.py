"""A rehearsal: an app served and called before any answer is there.

What is imported and built at first use is then there for every process that is forked.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import fastapi
import httpx
import uvicorn
from fastapi.responses import StreamingResponse

ROUNDS = 3
"""Requests of each kind."""


def rehearse() -> None:
    """Serve and call a small app over loopback, in a loop of its own that is closed again."""
    asyncio.run(_rehearse())


def _app() -> fastapi.FastAPI:
    app = fastapi.FastAPI()

    @app.get("/")
    async def stream() -> StreamingResponse:
        return StreamingResponse(_pieces(), media_type="text/plain")

    @app.post("/")
    async def echo(body: dict[str, Any]) -> dict[str, Any]:
        return body

    return app


async def _pieces() -> Any:
    yield "a piece"


async def _rehearse() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        config = uvicorn.Config(
            _app(), loop="none", http="h11", ws="none", lifespan="on", log_level="critical"
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        with contextlib.suppress(httpx.HTTPError):
            await _call(url)
        server.should_exit = True
        await serving


async def _call(url: str) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(ROUNDS):
            async with client.stream("GET", url) as response:
                async for _piece in response.aiter_text():
                    pass
            await client.get(f"{url}/missing")
            await client.post(url, json={})
