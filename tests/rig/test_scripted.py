"""Tests that are tried out on an app in the notebook: what is said, and what is not shown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
from fastapi import FastAPI

from unblocked.rig.scripted import Upstream, tried

if TYPE_CHECKING:
    import pytest


def test_a_test_that_fails_leaves_no_noise(capfd: pytest.CaptureFixture[str]) -> None:
    upstream, app = Upstream(), FastAPI()

    @app.get("/")
    async def root() -> int:
        async with httpx.AsyncClient(timeout=None) as client:
            return len((await client.get(upstream.url)).raise_for_status().text)

    async def fails(url: str, upstream: Any) -> None:
        upstream.hold()
        async with httpx.AsyncClient(timeout=None) as client:
            callers = [asyncio.create_task(client.get(url)) for _ in range(3)]
            await upstream.held(3)
            assert not callers, "there are callers"

    assert "there are callers" in asyncio.run(tried(fails, app, upstream))
    upstream.stop()
    assert capfd.readouterr().err == ""
