"""A rehearsal: an app called before any answer is there, with no network between.

What is imported and built at first use is then there for every process that is forked.
"""

from __future__ import annotations

import asyncio
from typing import Any

import fastapi
import httpx


def rehearse() -> None:
    """Call a small app, in a loop of its own that is closed again."""
    asyncio.run(_call(_app()))


def _app() -> fastapi.FastAPI:
    app = fastapi.FastAPI()

    @app.post("/")
    async def echo(body: dict[str, Any]) -> dict[str, Any]:
        return body

    return app


async def _call(app: fastapi.FastAPI) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://rehearsal") as client:
        await client.get("/missing")
        await client.post("/", json={})
