"""The `conftest.py` to take home works in a project of its own, without this package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from unblocked.rig.take_home import CONFTEST, Project

if TYPE_CHECKING:
    from collections.abc import Iterator

ONE_CALL = """
async def first_characters(client):
    async with client.stream("GET", URL) as response:
        response.raise_for_status()
        text = ""
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= 50:
                break
    return text[:50]
"""
APP = f"""
import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

URL = ""


@asynccontextmanager
async def lifespan(app):
    limits = httpx.Limits(max_connections=10, max_keepalive_connections=5)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:
        yield {{"client": client}}


app = FastAPI(lifespan=lifespan)

{ONE_CALL}

@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    client = request.state.client
    try:
        lines = await asyncio.gather(*[first_characters(client) for _ in range(5)])
    except httpx.HTTPError:
        raise HTTPException(502)
    return "\\n".join(lines)
"""
TOGETHER = "await asyncio.gather(*[first_characters(client) for _ in range(5)])"
IN_TURN = "[await first_characters(client) for _ in range(5)]"
HOLDING = """
        async with AsyncExitStack() as stack:
            streams = [client.stream("GET", URL) for _ in range(5)]
            replies = [await stack.enter_async_context(stream) for stream in streams]
            lines = [(await reply.aread()).decode()[:50] for reply in replies]
"""
TESTS = """
import asyncio

import httpx
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(url):
    async with httpx.AsyncClient(base_url=url, timeout=None) as client:
        yield client


async def test_lines(client, upstream):
    reply = await client.get("/")
    assert sorted(reply.text.splitlines()) == sorted(text[:50] for text in upstream.texts)


async def test_five_at_once(client, upstream):
    upstream.hold()
    caller = asyncio.create_task(client.get("/"))
    await upstream.held(5)
    upstream.release()
    assert (await caller).status_code == 200


async def test_ten_callers(client, upstream):
    upstream.hold()
    callers = [asyncio.create_task(client.get("/")) for _ in range(10)]
    await upstream.held(10)
    await upstream.settled()
    assert upstream.connections == 10
    upstream.hold(after=60)
    assert {(await caller).status_code for caller in callers} == {200}
    await upstream.settled()
    assert upstream.in_flight == 0


async def test_one_fails(client, upstream):
    upstream.hold()
    caller = asyncio.create_task(client.get("/"))
    await upstream.held(5)
    upstream.fail()
    await upstream.settled()
    upstream.release()
    assert (await caller).status_code == 502
    await upstream.settled()
    assert upstream.in_flight == 0
"""


@pytest.fixture
def project() -> Iterator[Project]:
    with Project() as project:
        project.write("main.py", APP)
        project.write("in_turn.py", APP.replace(TOGETHER, IN_TURN))
        project.write("holding.py", APP.replace(f"        lines = {TOGETHER}\n", HOLDING[1:]))
        project.write("test_app.py", TESTS)
        yield project


def test_it_is_short_and_needs_nothing_of_ours() -> None:
    assert len(CONFTEST.splitlines()) < 60
    assert "unblocked" not in CONFTEST


@pytest.mark.parametrize("_time", range(3))
def test_a_right_app_passes(project: Project, _time: int) -> None:
    assert "4 passed" in project.pytest()


@pytest.mark.parametrize("app", ["in_turn", "holding"])
@pytest.mark.parametrize("_time", range(2))
def test_the_articles_repairs_that_wait_for_one_another_fail(
    project: Project, app: str, _time: int
) -> None:
    said = project.pytest("-k", "at_once", app=app)
    assert "1 of 5 calls in flight, and nothing moves any more" in said
    assert "1 failed" in said


def test_the_article_as_it_was_published_fails(project: Project) -> None:
    published = Path(__file__).parents[2] / "course" / "article" / "example.py"
    project.write("published.py", published.read_text("utf-8"))
    assert "4 failed" in project.pytest(app="published")


def test_what_it_says_names_no_folder_of_the_machine(project: Project) -> None:
    project.write(
        "test_paths.py",
        """
import asyncio
import anyio
import pytest

def test_of_a_library():
    anyio.run(lambda: 1 / 0)

def test_of_python():
    asyncio.run("no coroutine")

def test_of_the_project():
    pytest.fail(__file__)
""",
    )
    said = project.pytest("test_paths.py", "--tb=long")
    assert "3 failed" in said
    assert "anyio/_core/_eventloop.py:" in said
    assert "asyncio/runners.py:" in said
    assert str(project.folder) not in said
    assert sys.prefix not in said
    assert sys.base_prefix + "/lib" not in said


def test_it_is_found_without_this_package(project: Project) -> None:
    code = "import sys, conftest; print([m for m in sys.modules if m.startswith('unblocked')])"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=project.folder, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"
