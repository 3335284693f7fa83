"""A rehearsal: an app started, called and stopped before any answer is there, with no network.

What is imported and built at first use is then there for every process that is forked.
"""

from __future__ import annotations

import asyncio
from typing import Any

import fastapi
import httpx
import uvicorn
from uvicorn.lifespan.on import LifespanOn


def rehearse() -> None:
    """Serve with a small app, in a loop of its own that is closed again."""
    asyncio.run(_serve(_app()))


def _app() -> fastapi.FastAPI:
    app = fastapi.FastAPI()

    @app.post("/")
    async def echo(body: dict[str, Any]) -> dict[str, Any]:
        return body

    return app


async def _serve(app: fastapi.FastAPI) -> None:
    lifespan = LifespanOn(uvicorn.Config(app, lifespan="on", log_config=None))
    await lifespan.startup()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://rehearsal") as client:
        await client.get("/missing")
        await client.post("/", json={})
    await lifespan.shutdown()
