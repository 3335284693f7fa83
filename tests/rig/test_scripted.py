"""Tests that are tried out on an app in the notebook: what is said, and what is not shown."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
from fastapi import FastAPI

from unblocked.rig.scripted import Upstream, latest_tests, tried

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

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


def test_an_app_may_take_its_time_to_stop() -> None:
    upstream, closed = Upstream(), threading.Event()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(closed.wait)

    async def stops(url: str, upstream: Any) -> None:
        stopping = asyncio.create_task(upstream.stop_app())
        try:
            for _ in range(5000):  # turns of the loop, in which nothing moves
                await asyncio.sleep(0)
        finally:
            closed.set()
        await stopping

    assert asyncio.run(tried(stops, FastAPI(lifespan=lifespan), upstream)) == ""
    upstream.stop()


def test_a_bare_assert_is_told_by_its_line(tmp_path: Path) -> None:
    upstream, cell, names = Upstream(), tmp_path / "cell.py", dict[str, Any]()
    cell.write_text("async def bare(url, upstream):\n    assert upstream.in_flight == 1\n")
    exec(compile(cell.read_text(), cell, "exec"), names)
    said = asyncio.run(tried(names["bare"], FastAPI(), upstream))
    assert said == "AssertionError assert upstream.in_flight == 1"
    upstream.stop()


def test_only_the_latest_answers_tests_are_tried() -> None:
    cells = [
        "",
        "# exercise: catch-the-bug\nasync def test_old(url, upstream): ...",
        "# exercise: catch-the-bug\nasync def test_new(url, upstream): ...",
        "async def test_elsewhere(): ...",
    ]
    namespace: dict[str, Any] = {"In": cells}
    exec("\n".join(cells), namespace)
    assert list(latest_tests(namespace, "catch-the-bug")) == ["test_new"]
    assert latest_tests({}, "catch-the-bug") == {}
