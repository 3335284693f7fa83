"""A small exercise of the tests' own, and the means to mark answers to it."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from unblocked.course import Room
from unblocked.grading.judge.mark import exercise, mark
from unblocked.grading.sandbox import run as grading_run
from unblocked.grading.sandbox.pool import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


@pytest.fixture
def marked(relay: Room) -> Callable[..., list[dict[str, Any]]]:
    """Mark several answers to the small exercise side by side."""

    def run(*sources: str | list[str], level: str | None = None) -> list[dict[str, Any]]:
        async def all_of_them() -> list[dict[str, Any]]:
            async with Sandbox(level=level) as sandbox:
                task = exercise(relay)
                return await asyncio.gather(*(mark(task, s, sandbox) for s in sources))

        return asyncio.run(all_of_them())

    return run


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for an answer's code to come to its end: for one that never says so."""
    monkeypatch.setattr(grading_run, "START_PATIENCE", 5.0)


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
