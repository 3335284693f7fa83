"""A small exercise of the tests' own, and the means to mark answers to it."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from unblocked.course import Room
from unblocked.grading.judge.mark import exercise, mark
from unblocked.grading.sandbox import run as grading_run
from unblocked.grading.sandbox.child import isolation
from unblocked.grading.sandbox.pool import Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

T = TypeVar("T")
TURNS = 8
"""Of the loop, in which what was closed goes."""

CHECKS = """
from unblocked.grading.checks import (
    Exam, called, criterion, expect_nothing_left, expect_reply, held, released
)


@criterion("passes the text on", points=2)
async def passes_on(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        reply = await app.get()
        expect_reply(app, reply, text="".join(call.text for call in upstream.calls))
    return "It came through."


@criterion("two callers at once", points=3)
async def two_at_once(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        upstream.script = upstream.hold
        with called("two callers"):
            callers = app.call_many(2)
            await held(app, upstream, 2, callers)
            await released(app, upstream, callers)
    return "Both were in flight."


@criterion("starts and stops cleanly", points=1)
async def stops(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        await app.get()
        await expect_nothing_left(app)
    return "Nothing was left."
"""

RIGHT = """
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient() as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root():
    return (await app.state.client.get(URL)).text
"""


@pytest.fixture(scope="session")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """An exercise worth six points: pass the text of `URL` on."""
    course = tmp_path_factory.mktemp("course")
    folder = course / "exercises" / "relay"
    folder.mkdir(parents=True)
    (folder / "checks.py").write_text(CHECKS)
    (folder / "exercise.md").write_text(
        "---\ntitle: Relay\nminutes: 5\npoints: 6\nlesson: 04\n---\n\n# Relay\n"
    )
    return Room("relay", folder, "Relay", 5, 6, "04")


@pytest.fixture
def variant(relay: Room, tmp_path: Path) -> Room:
    """An exercise of an instructor's own, to be broken."""
    folder = tmp_path / "variant" / "exercises" / relay.slug
    shutil.copytree(relay.folder, folder)
    return replace(relay, folder=folder)


class Sandboxes:
    """A sandbox for each isolation level, started when it is first asked for, and one loop."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.started: dict[str | None, Sandbox] = {}

    def run(self, work: Callable[[Sandbox], Awaitable[T]], level: str | None = None) -> T:
        """The result of this work with the sandbox of this level; then no task of it is left."""

        async def main() -> T:
            try:
                return await work(await self._sandbox(level))
            finally:
                await _end_the_others()

        return self.runner.run(main())

    async def _sandbox(self, level: str | None) -> Sandbox:
        found = self.started.get(level)
        if found and found.lost:  # where nothing prevents it, an answer may have ended it
            await self.started.pop(level).__aexit__()
            found = None
        if found is None:
            found = self.started[level] = await Sandbox(level=level).__aenter__()
        return found

    async def end(self) -> None:
        """End all of them."""
        for sandbox in self.started.values():
            await sandbox.__aexit__()


async def _end_the_others() -> None:
    """What `asyncio.run` does at its end, in a loop that goes on."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for _ in range(TURNS):
        await asyncio.sleep(0)


@pytest.fixture(scope="session")
def sandboxes() -> Iterator[Sandboxes]:
    """Sandboxes that the tests share: each takes half a second of CPU to start."""
    with asyncio.Runner() as runner:
        shared = Sandboxes(runner)
        yield shared
        runner.run(shared.end())


@pytest.fixture
def in_sandbox(sandboxes: Sandboxes) -> Callable[..., Any]:
    """Run a coroutine function with a sandbox that other tests have used, and return its result."""
    return sandboxes.run


@pytest.fixture
def marked(relay: Room, sandboxes: Sandboxes) -> Callable[..., list[dict[str, Any]]]:
    """Mark several answers to the small exercise side by side.

    `fresh` is for what a sandbox takes from its surroundings when it starts.
    """

    def run(
        *sources: str | list[str], level: str | None = None, fresh: bool = False
    ) -> list[dict[str, Any]]:
        async def all_of_them(sandbox: Sandbox) -> list[dict[str, Any]]:
            task = exercise(relay)
            return await asyncio.gather(*(mark(task, s, sandbox) for s in sources))

        async def in_its_own() -> list[dict[str, Any]]:
            async with Sandbox(level=level) as sandbox:
                return await all_of_them(sandbox)

        return asyncio.run(in_its_own()) if fresh else sandboxes.run(all_of_them, level)

    return run


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for an answer's code to come to its end: for one that never says so."""
    monkeypatch.setattr(grading_run, "START_PATIENCE", 5.0)


@pytest.fixture
def little_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an answer compute for three seconds instead of ten: for one that never ends."""
    monkeypatch.setitem(isolation.STANDARD, "cpu", 3)


@pytest.fixture(autouse=True)
def own_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is marked here is not remembered as the learner's."""
    monkeypatch.setenv("UNBLOCKED_HOME", str(tmp_path / "home"))


def processes_named(text: str) -> list[int]:
    """Processes of this machine whose command line holds this text."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                if text in file.read():
                    found.append(int(pid))
        except OSError:
            continue
    return found


def until(condition: Callable[[], bool]) -> None:
    """Look again and again until it holds; pytest's own deadline ends a wait that is in vain."""
    look_again = threading.Event()
    while not condition():
        look_again.wait(0.02)
