"""A call that blocks the event loop's thread is named with its line, however short it is."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from unblocked.grading.checks import Exam

if TYPE_CHECKING:
    from unblocked.grading.sandbox.pool import Sandbox

HEAD = """\
import asyncio, concurrent.futures, logging, os, queue, select, socket, subprocess, threading, time
from concurrent.futures import ThreadPoolExecutor
from time import sleep as nap
import httpx, requests
from fastapi import FastAPI

app = FastAPI()
pool = ThreadPoolExecutor(2)
lock = threading.Lock()


def a_moment(seconds=0.001):
    time.sleep(seconds)


def take():
    with lock:
        held.set()
        time.sleep(0.05)


held = threading.Event()


@app.get("/")
async def index():
"""
AROUND = {
    "start-up": """
        from contextlib import asynccontextmanager

        @asynccontextmanager
        async def lifespan(app):
            time.sleep(0.001)
            yield
            time.sleep(0.001)

        app.router.lifespan_context = lifespan
        """,
    "def": """
        @app.get("/plain")
        def plain():
            time.sleep(0.001)
        """,
}
BLOCKING = {
    "time.sleep": "time.sleep(0.0001)",
    "another name": "nap(0.0001)",
    "call_soon": "asyncio.get_running_loop().call_soon(time.sleep, 0.001); await asyncio.sleep(0)",
    "requests": "requests.get(URL)",
    "httpx": "httpx.get(URL)",
    "a name is looked up": "socket.getaddrinfo('localhost', 80)",
    "Event.wait": "threading.Event().wait(0.001)",
    "a lock that is taken": "threading.Thread(target=take).start()\n"
    "while not held.is_set(): await asyncio.sleep(0)\nwith lock: pass",
    "Future.result": "pool.submit(a_moment, 0.05).result()",
    "Thread.join": "t = threading.Thread(target=a_moment, args=(0.05,)); t.start(); t.join()",
    "subprocess": "subprocess.run(['true'])",
    "Queue.get": "q = queue.Queue(); pool.submit(lambda: (a_moment(), q.put(1))); q.get()",
    "SimpleQueue.get": "q = queue.SimpleQueue(); pool.submit(lambda: (a_moment(0.05), q.put(1))); "
    "q.get()",
    "leaving an executor": "with ThreadPoolExecutor() as e: e.submit(a_moment, 0.05)",
    "select": "select.select([], [], [], 0.001)",
}
CALM = {
    "asyncio.sleep": "await asyncio.sleep(0.001)",
    "to_thread": "await asyncio.to_thread(a_moment)",
    "an executor of the app's": "await asyncio.get_running_loop().run_in_executor(pool, a_moment)",
    "sleep(0)": "time.sleep(0)",
    "a free lock": "with threading.Lock(): pass",
    "logging": "logging.getLogger('a').error('b')",
    "an import made late": "import decimal, sqlite3",
    "an awaited process": "await (await asyncio.create_subprocess_exec('true')).wait()",
    "an event that is set": "e = threading.Event(); e.set(); e.wait()",
    "an awaited call": "async with httpx.AsyncClient() as c: await c.get(URL)",
    "a file": "open(os.devnull).read()",
    "a thread begins": "threading.Thread(target=a_moment).start()",
}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="answers need POSIX processes here")


Blocking = Callable[..., dict[str, str]]


@pytest.fixture
def blocking(in_sandbox: Callable[..., dict[str, str]]) -> Blocking:
    """What the detector notes while the app serves two requests to an endpoint with this body."""

    def noted(body: str, around: str = "", path: str = "/") -> dict[str, str]:
        source = HEAD + textwrap.indent(body, "    ") + "\n" + textwrap.dedent(around)

        async def main(sandbox: Sandbox) -> dict[str, str]:
            exam = Exam(sandbox, source)
            async with exam.serving() as (app, _):
                for _ in range(2):
                    await app.get(path)
                await app.stop()
            return exam.findings.blocking

        return in_sandbox(main)

    return noted


@pytest.mark.parametrize("body", BLOCKING.values(), ids=BLOCKING)
def test_what_blocks_is_named_with_its_line(blocking: Blocking, body: str) -> None:
    found = blocking(body)
    assert found
    if "call_soon" not in body:
        line = HEAD.count("\n") + 1 + body.count("\n")
        assert f"line {line}" in found
        assert f"in line {line} of your answer blocks the event loop" in found[f"line {line}"]


@pytest.mark.parametrize("body", CALM.values(), ids=CALM)
def test_what_only_looks_like_it_is_not(blocking: Blocking, body: str) -> None:
    assert blocking(body) == {}


@pytest.mark.parametrize(("around", "path"), [("start-up", "/"), ("def", "/plain")])
def test_start_up_shutdown_and_threads_may_block(
    blocking: Blocking, around: str, path: str
) -> None:
    assert blocking("pass", AROUND[around], path) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells where a thread stands")
def test_what_python_does_not_announce_is_seen_from_outside(blocking: Blocking) -> None:
    found = blocking("import ctypes; ctypes.CDLL(None).usleep(100_000)")
    assert list(found.values()) == [
        "the event loop's thread slept in the system call `clock_nanosleep`"
    ]
