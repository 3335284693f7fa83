"""Whether processes can still move by themselves, as the system tells it; no clock is asked."""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from conftest import RIGHT

from unblocked.grading.checks import LOOP_TURNS, App, Exam, Failed, Upstream, waiting
from unblocked.grading.sandbox.quiescence import Quiescence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from unblocked.grading.sandbox.pool import Sandbox

LOOKS = 200
SHORTLY = 1.0
"""Seconds: a look takes some time itself, in which the next call may have begun."""
BUSY = "say()\nwhile True: pass"
BUSY_WITH_PARENT = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
SLEEPS = "import time\nsay()\ntime.sleep(3600)"
SLEEPS_SHORTLY = "import time\nsay()\nwhile True: time.sleep(0.001)"
WAITS = "import threading\nsay()\nthreading.Event().wait(3600)"
WAITS_SHORTLY = "import threading\nsay()\nwhile True: threading.Event().wait(0.001)"
SELECTS = "import os, select\nsay()\nselect.select([os.pipe()[0]], [], [], 3600)"
READS = "import os\nsay()\nos.read(0, 1)"
POLLS = "import select\nsay()\nselect.epoll().poll(3600)"
POLLS_FOR_EVER = "import select\nsay()\nselect.epoll().poll()"
LOCKED = "import threading\nsay()\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()"
TWO_THREADS = (
    f"import os, threading\nthreading.Thread(target=exec, args=({SLEEPS!r}, globals())).start()\n"
    "os.read(0, 1)"
)
TICKS = "import asyncio\n\nasync def tick():\n    while True: await asyncio.sleep(0.01)\n\n" + (
    RIGHT.replace("        yield", "        task = asyncio.create_task(tick())\n        yield")
)
BLOCKS_LAST = """
import asyncio
import threading

import httpx
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def root():
    await asyncio.to_thread(httpx.get, URL)
    threading.Event().wait()
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells it, others do not")


@contextlib.contextmanager
def child(code: str) -> Iterator[int]:
    """The number of a process that has come to where `code` says so."""
    say = "def say(): print('here', flush=True)\n"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", say + code], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("code", "least", "most"),
    [
        (READS, math.inf, math.inf),
        (POLLS_FOR_EVER, math.inf, math.inf),
        (LOCKED, math.inf, math.inf),
        (POLLS, 3000, 3601),
        (SLEEPS, 3000, 3601),
        (WAITS, 3000, 3601),
        (SELECTS, 3000, 3601),
        (TWO_THREADS, 3000, 3601),
    ],
)
def test_who_waits_for_others_is_quiescent(code: str, least: float, most: float) -> None:
    with child(code) as pid:
        looks = Quiescence()
        while not (seconds := looks.seconds(pid)):
            pass  # it may not have begun its call
        assert least <= seconds <= most


@pytest.mark.parametrize("code", [BUSY, SLEEPS_SHORTLY, WAITS_SHORTLY])
def test_who_may_go_on_alone_is_not(code: str) -> None:
    with child(code) as pid:
        looks = Quiescence()
        assert all(looks.seconds(pid) <= SHORTLY for _ in range(LOOKS))


def test_all_that_descend_from_it_must_be_but_one() -> None:
    starts = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY_WITH_PARENT!r}])"
    with child(f"say()\n{starts}") as pid:
        looks = Quiescence()
        assert not any(looks.seconds(pid) for _ in range(LOOKS))
    with child(READS) as pid:
        looks = Quiescence()
        assert not any(looks.seconds(pid, but=pid) for _ in range(LOOKS))


def test_one_look_and_a_process_that_has_gone_say_nothing() -> None:
    with child(READS) as pid:
        assert Quiescence().seconds(pid) == 0.0
    assert [looks.seconds(pid) for looks in [Quiescence()] * 2] == [0.0, 0.0]


Watch = Callable[["App", "Upstream"], "Awaitable[None]"]
Watched = Callable[[str, Watch], None]


@pytest.fixture
def watched(in_sandbox: Callable[..., None]) -> Watched:
    def run(answer: str, watch: Watch) -> None:
        async def main(sandbox: Sandbox) -> None:
            async with Exam(sandbox, answer).serving() as (app, upstream):
                await watch(app, upstream)

        in_sandbox(main)

    return run


def test_a_wait_for_what_cannot_come_any_more_ends_without_patience(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MOST_TICKS", math.inf)

    async def watch(app: App, upstream: Upstream) -> None:
        upstream.script = upstream.hold
        app.call()
        with pytest.raises(Failed) as failed:
            await app.until(lambda: False, "what cannot come")
        assert failed.value.certain

    watched(RIGHT, watch)


@pytest.mark.parametrize(("answer", "most"), [(RIGHT, 10), (TICKS, LOOP_TURNS)])
def test_the_loop_turns_no_longer_than_it_has_something_to_do(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, answer: str, most: int
) -> None:
    probes: list[None] = []
    probe = App._probe

    async def counting(app: App) -> None:
        probes.append(None)
        await probe(app)

    monkeypatch.setattr(App, "_probe", counting)

    async def watch(app: App, upstream: Upstream) -> None:
        await app.turn()

    watched(answer, watch)
    assert 1 <= len(probes) <= most
    assert answer == RIGHT or len(probes) == LOOP_TURNS


@pytest.mark.parametrize("go", range(5))
def test_a_loop_that_blocks_itself_as_the_last_thing_it_does_is_not_free(
    watched: Watched, go: int
) -> None:
    async def watch(app: App, upstream: Upstream) -> None:
        app.call()
        await app.until(lambda: len(upstream.calls) == 1, "a call")
        with pytest.raises(Failed):
            await app.turn()

    watched(BLOCKS_LAST, watch)
