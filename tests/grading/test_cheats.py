"""Cheats that aim at the marker: it is neither fooled nor brought down nor kept waiting."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from conftest import RIGHT

from unblocked import course
from unblocked.grading.checks import callers, waiting
from unblocked.grading.checks.exam import Exam
from unblocked.grading.judge.mark import exercise, mark
from unblocked.grading.sandbox import pool as sandbox
from unblocked.grading.sandbox import processes
from unblocked.grading.sandbox.run import Code

if TYPE_CHECKING:
    from unblocked.grading.sandbox.pool import Sandbox

    Marked = Callable[..., list[dict[str, Any]]]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks into /proc")

CHANNEL = """
import gc, json, os, socket, stat, struct

def the_channel():
    for fd in map(int, os.listdir("/proc/self/fd")):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                sock = socket.socket(fileno=os.dup(fd))
                if sock.family == socket.AF_UNIX and sock.getpeername() == "":
                    yield sock
        except OSError:
            pass

def say(**message):
    body = json.dumps(message).encode()
    for sock in list(the_channel()):
        sock.setblocking(False)
        try: sock.send(struct.pack("!I", len(body)) + body)
        except OSError: pass
"""


def one(marked: Marked, source: str, **options: Any) -> dict[str, Any]:
    return marked(source, **options)[0]


def passed(result: dict[str, Any]) -> list[str]:
    return [check["name"] for check in result["checks"] if check["passed"]]


@pytest.mark.usefixtures("hasty")
def test_forged_messages_earn_nothing(marked: Marked) -> None:
    forged = """
for event in ("loaded", "start-done", "stop-done", "call-done", "ended", "passed"):
    say(event=event, names=["app"], value=True, points=6)
import threading
threading.Event().wait()
"""
    assert passed(one(marked, CHANNEL + forged)) == []


@pytest.mark.usefixtures("little_cpu")
def test_messages_without_end_do_not_fill_the_marker(marked: Marked) -> None:
    flood = CHANNEL + "while True: say(event='x' * 100_000)"
    assert one(marked, flood)["points"] == 0


@pytest.mark.usefixtures("hasty")
def test_a_frame_that_never_ends(marked: Marked) -> None:
    slow = "for sock in the_channel(): sock.send(struct.pack('!I', 1000) + b'{')\n"
    assert passed(one(marked, CHANNEL + slow + RIGHT)) == []


@pytest.mark.parametrize("text", ["\\ud800", "\\x1b[2J\\x1b]0;owned\\x07", "x" * 5000])
def test_messages_are_short_and_plain_text(marked: Marked, text: str) -> None:
    message = one(marked, f"raise ValueError('{text}')")["checks"][0]["message"]
    assert "ValueError" in message
    assert len(message) < 3000
    assert message.encode().isascii() or "\x1b" not in message
    assert "\x1b" not in message


def test_an_error_log_made_to_be_slow_to_search() -> None:
    run = sandbox.AnswerRun.__new__(sandbox.AnswerRun)
    run.output = (b"Error" * 12_000 + b"!\n") + b"httpx.ConnectError: refused\n"
    started = time.process_time()
    assert run.last_error() == "httpx.ConnectError: refused"
    assert time.process_time() - started < 1


ENDLESS = """
import asyncio
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown": return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
"""


def test_a_body_without_end_does_not_fill_the_marker(
    marked: Marked, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = []
    real = callers.Reply

    def noted(status: int, headers: Any, body: bytes, broken: bool = False) -> callers.Reply:
        longest.append(len(body))
        return real(status, headers, body, broken)

    monkeypatch.setattr(callers, "Reply", noted)
    result = one(marked, ENDLESS)
    assert "passes the text on" not in passed(result)
    assert all(size <= callers.MOST_BODY for size in longest)
    assert "MiB" in result["checks"][0]["message"]


DRIP = ENDLESS.replace('b"x" * 65536, "more_body": True})', 'b"x", "more_body": True})') + (
    "        await asyncio.sleep(0.02)\n"
)


def test_an_answer_cannot_keep_the_marker_waiting(
    marked: Marked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "ALLOWANCE", 1.0)
    result = one(marked, DRIP)
    assert "passes the text on" not in passed(result)
    assert "time that an answer may take" in str(result["checks"])


RAW = """
import asyncio, os, socket

class Raw(asyncio.Protocol):
    def connection_made(self, transport):
        transport.write({reply})

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        message = await receive()
        loop = asyncio.get_running_loop()
        for fd in map(int, os.listdir("/proc/self/fd")):
            try:
                sock = socket.socket(fileno=os.dup(fd))
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    await loop.create_server(Raw, sock=sock)
                    loop.remove_reader(fd)
            except OSError: pass
        await send({{"type": "lifespan.startup.complete"}})
        await receive()
        await send({{"type": "lifespan.shutdown.complete"}})
"""


@pytest.mark.parametrize(
    "reply",
    [
        "b'HTTP/1.1 999999 \\xff\\r\\n\\r\\n'",
        "b'HTTP/1.1 200 OK\\r\\n' + b'a: ' + b'x' * 100_000_000 + b'\\r\\n\\r\\n'",
        "b'HTTP/1.1 200 OK\\r\\n' + b'a: b\\r\\n' * 1_000_000 + b'\\r\\n'",
        "b'HTTP/1.1 200 OK\\r\\ncontent-length: -1\\r\\n\\r\\n'",
        "b'HTTP/1.1 200 OK\\r\\ntransfer-encoding: chunked\\r\\n\\r\\nffffffffffffffffff\\r\\n'",
        "b'HTTP/1.1 100 Continue\\r\\n\\r\\n' * 1_000_000",
        "b'HTTP/1.1 101 Switch\\r\\nupgrade: x\\r\\nconnection: upgrade\\r\\n\\r\\n' + b'x' * 99",
        "b'HTTP/1.1 200 OK\\r\\nset-cookie: \\xff=\\xfe\\r\\ncontent-length: 0\\r\\n\\r\\n'",
    ],
    ids=["status", "line", "headers", "length", "chunk", "continue", "upgrade", "cookie"],
)
def test_replies_that_are_no_http(marked: Marked, reply: str) -> None:
    result = one(marked, RAW.format(reply=reply))
    assert result["outcome"] == "graded"
    assert "passes the text on" not in passed(result)


FLOOD = """
import asyncio, socket, threading
from urllib.parse import urlsplit

def flood():
    address = urlsplit(URL)
    socks = []
    while True:
        try:
            sock = socket.create_connection((address.hostname, address.port), 1)
            {act}
            socks.append(sock)
        except OSError:
            {after}

threading.Thread(target=flood, daemon=True).start()
"""
UPLOAD = (
    "sock.sendall(b'POST / HTTP/1.1\\r\\nhost: x\\r\\ncontent-length: 1000000\\r\\n\\r\\n'"
    " + b'x' * 1000000)"
)


@pytest.mark.parametrize(
    ("act", "after"),
    [("pass", "break"), (UPLOAD, "socks.clear()")],
    ids=["connections", "bodies"],
)
# Connections that come while the loop ends are closed by the collector, with these warnings.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_flooded_upstream_does_not_starve_the_others(
    relay: course.Room,
    in_sandbox: Callable[..., dict[str, Any]],
    act: str,
    after: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    most = []
    monkeypatch.setattr(waiting, "ALLOWANCE", 20.0)

    async def both(sandbox: Sandbox) -> dict[str, Any]:
        task = exercise(relay)
        flood = asyncio.create_task(mark(task, FLOOD.format(act=act, after=after) + RIGHT, sandbox))
        right = asyncio.create_task(mark(task, RIGHT, sandbox))
        while not flood.done():
            await asyncio.wait([flood], timeout=0.05)
            most.append(len(os.listdir("/proc/self/fd")))
        return await right

    before = processes.resident(os.getpid())
    assert in_sandbox(both)["points"] == 6
    gc.collect()
    assert max(most) < 2500
    assert processes.resident(os.getpid()) - before < 400 << 20


def test_the_instructors_environment_is_not_told(
    marked: Marked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    spy = "import os\nraise SystemExit(str(dict(os.environ)) + open('/proc/self/environ').read())"
    assert "hunter2" not in one(marked, spy, fresh=True)["checks"][0]["message"]
    spy = (
        "import os\nif 'SECRET_TOKEN' in open('/proc/self/environ').read() + str(os.environ):\n"
        "    raise SystemExit('told')\n"
    )
    assert one(marked, spy + RIGHT, fresh=True)["points"] == 6


def test_what_it_writes_is_bounded_and_goes_with_it(
    marked: Marked, in_sandbox: Callable[..., str]
) -> None:
    if in_sandbox(_level) != "namespaces+landlock":
        pytest.skip("needs a mount of its own")
    greedy = """
import os
here = os.getcwd()
written = 0
try:
    for number in range(40):
        with open(f"{here}/{number}", "wb") as file:
            written += file.write(b"x" * (8 << 20))
except OSError:
    pass
if written > 100 << 20: raise SystemExit("unbounded")
for number in range(40):
    try: os.unlink(f"{here}/{number}")
    except OSError: pass
try: open("/dev/shm/unblocked-was-here", "w").close()
except OSError: pass
"""
    assert one(marked, greedy + RIGHT)["points"] == 6
    assert not os.path.exists("/dev/shm/unblocked-was-here")


async def _level(sandbox: Sandbox) -> str:
    return str(sandbox.level)


@pytest.mark.parametrize("level", [None, "limits"])
def test_folders_too_deep_to_delete(marked: Marked, level: str | None) -> None:
    deep = """
import os
here = os.getcwd()
for _ in range(3000):
    os.mkdir("d"); os.chdir("d")
os.chdir(here)
"""
    assert one(marked, deep + RIGHT, level=level)["points"] == 6
    assert one(marked, RIGHT, level=level)["points"] == 6


def test_a_supervisor_that_is_stopped_does_not_stop_the_marker(marked: Marked) -> None:
    stop = "import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)\n"
    results = marked(stop + RIGHT, RIGHT, level="limits")
    assert results[1]["points"] == 6


def test_a_supervisor_that_is_killed_does_not_stop_the_marker(marked: Marked) -> None:
    kill = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n"
    results = marked(kill + RIGHT, RIGHT, level="limits")
    assert results[1]["points"] == 6


def test_memory_is_watched_along_a_long_line_of_children(marked: Marked) -> None:
    line = """
import os, time
here = os.getpid()
for _ in range(300):
    if os.fork(): break
else:
    hoard = b"x" * (1 << 30) + b"y" * (200 << 20)
time.sleep(1000)
"""
    assert one(marked, line)["outcome"] == "out-of-memory"


Failed = Callable[[str], list[str]]


@pytest.fixture
def failed_in_fix_the_article(in_sandbox: Callable[..., dict[str, Any]]) -> Failed:
    """The names of the criteria that an answer fails."""

    def failed(source: str) -> list[str]:
        task = exercise(course.room("fix-the-article"))
        result = in_sandbox(lambda sandbox: mark(task, source, sandbox))
        return [c["name"] for c in result["checks"] if not c["passed"]]

    return failed


def test_threads_that_were_there_before_are_seen(failed_in_fix_the_article: Failed) -> None:
    pooled = PREWARMED.replace("POOL_KIND", "ThreadPoolExecutor")
    assert "no thread per call" in failed_in_fix_the_article(pooled)


def test_threads_of_another_process_are_seen(failed_in_fix_the_article: Failed) -> None:
    assert "no thread per call" in failed_in_fix_the_article(ELSEWHERE)


def test_answers_of_earlier_requests_do_not_count(failed_in_fix_the_article: Failed) -> None:
    assert failed_in_fix_the_article(STALE)


PREWARMED = """
import asyncio
import threading
from concurrent.futures import POOL_KIND
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=5)


@asynccontextmanager
async def lifespan(app):
    with httpx.Client(limits=LIMITS, timeout=httpx.Timeout(5, read=15)) as client:
        with POOL_KIND(10) as pool:
            barrier = threading.Barrier(11)
            for _ in range(10):
                pool.submit(barrier.wait)
            barrier.wait()
            app.state.client, app.state.pool = client, pool
            yield


app = FastAPI(lifespan=lifespan)


def begin(client):
    with client.stream("GET", URL) as response:
        response.raise_for_status()
        text = ""
        for piece in response.iter_text():
            text += piece
            if len(text) >= 50:
                break
        return text[:50]


@app.get("/", response_class=PlainTextResponse)
async def root():
    loop = asyncio.get_running_loop()
    calls = [loop.run_in_executor(app.state.pool, begin, app.state.client) for _ in range(5)]
    try:
        return "\\n".join(await asyncio.gather(*calls))
    except httpx.HTTPError as error:
        raise HTTPException(502) from error
"""

ELSEWHERE = """
import asyncio
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse


def begin(client):
    with client.stream("GET", URL) as response:
        response.raise_for_status()
        text = ""
        for piece in response.iter_text():
            text += piece
            if len(text) >= 50:
                break
        return text[:50]


def helper(pipe):
    limits = httpx.Limits(max_connections=10)
    with httpx.Client(limits=limits) as client, ThreadPoolExecutor(10) as pool:
        def one(number):
            try:
                pipe.send((number, begin(client)))
            except httpx.HTTPError:
                pipe.send((number, None))
        while (number := pipe.recv()) is not None:
            pool.submit(one, number)


@asynccontextmanager
async def lifespan(app):
    here, there = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(target=helper, args=(there,), daemon=True)
    process.start()
    waiting = {}

    def ready():
        number, text = here.recv()
        waiting.pop(number).set_result(text)

    asyncio.get_running_loop().add_reader(here.fileno(), ready)
    app.state.pipe, app.state.waiting, app.state.next = here, waiting, 0
    app.state.decoy = httpx.AsyncClient(timeout=httpx.Timeout(5, read=15))
    yield
    await app.state.decoy.aclose()
    asyncio.get_running_loop().remove_reader(here.fileno())
    here.send(None)
    process.join()


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root():
    futures = []
    for _ in range(5):
        app.state.next += 1
        future = app.state.waiting[app.state.next] = asyncio.get_running_loop().create_future()
        app.state.pipe.send(app.state.next)
        futures.append(future)
    texts = await asyncio.gather(*futures)
    if None in texts:
        raise HTTPException(502)
    return "\\n".join(texts)
"""

STALE = """
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=5)


@asynccontextmanager
async def lifespan(app):
    app.state.first = None
    async with httpx.AsyncClient(limits=LIMITS, timeout=httpx.Timeout(5, read=15)) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


async def begin():
    async with app.state.client.stream("GET", URL) as response:
        response.raise_for_status()
        text = ""
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= 50:
                break
        return text[:50]


@app.get("/", response_class=PlainTextResponse)
async def root():
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(begin()) for _ in range(5)]
    except* httpx.HTTPError:
        raise HTTPException(502)
    app.state.first = app.state.first or "\\n".join(task.result() for task in tasks)
    return app.state.first
"""


def test_an_upstream_is_no_app(marked: Marked) -> None:
    forged = """
from urllib.parse import urlsplit
from unblocked.grading.sandbox.child import answer_process
async def start(self): return urlsplit(URL).port
async def stop(self): return True
answer_process.Answer._do_start, answer_process.Answer._do_stop = start, stop
app = None
"""
    result = marked(forged)[0]
    assert result["points"] == 0, result


REPLACED = """
import asyncio, gc
from unblocked.grading.sandbox.child import answer_process, inside

nothing = lambda *args, **kwargs: []
for name in ("clients", "watch", "get_objects"):
    setattr(inside, name, nothing)
answer_process.INSIDE = compile("", "", "exec")
gc.get_objects = nothing
clock = asyncio.get_running_loop()
"""
FROZEN = """
import gc, httpx
client = httpx.AsyncClient()
gc.freeze()
"""


async def seen_inside(sandbox: Sandbox) -> tuple[float, int]:
    """By how much (s) the loop's clock was put forward, and how many clients were found."""
    code = Code((FROZEN + REPLACED,), inside="def clock(): return answer.clock.time()")
    exam = Exam(sandbox, code)
    async with exam.run() as app:
        await app.load()
        before = await app.inside("clock")
        await app._ordered(app.process.order("forward", seconds=1000), "the clock to go on")
        return await app.inside("clock") - before, len(await app.inside("clients"))


def test_what_looks_at_an_answer_is_not_what_it_can_import(
    in_sandbox: Callable[..., tuple[float, int]],
) -> None:
    ahead, clients = in_sandbox(seen_inside)
    assert ahead >= 1000
    assert clients == 1
