"""What macOS or Windows lack is taken away here, and the course still works."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import httpx
import psutil
from fastapi import FastAPI

from unblocked.grading.sandbox import processes
from unblocked.rig import Upstream, load, serve

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[2]


class ProactorLike(asyncio.SelectorEventLoop):
    """A loop that refuses what Windows' standard loop refuses."""

    def _refuse(self, *_: object) -> NoReturn:
        raise NotImplementedError

    add_reader = remove_reader = add_writer = remove_writer = _refuse  # type: ignore[assignment]
    add_signal_handler = remove_signal_handler = _refuse  # type: ignore[assignment]


def test_the_rig_works_on_a_loop_like_that_of_windows() -> None:
    app = FastAPI()

    with Upstream(delay=0) as upstream:

        @app.get("/")
        async def index() -> str:
            async with httpx.AsyncClient() as client:
                return (await client.get(upstream.url)).text

        with serve(app) as server, asyncio.Runner(loop_factory=ProactorLike) as runner:
            result = runner.run(load(server.url, users=3, requests=9))
    assert (result.answers, result.errors) == (9, {})


def test_processes_are_looked_at_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    me = os.getpid()
    monkeypatch.setattr(processes, "_PROC", False)
    assert processes.threads(me) == psutil.Process().num_threads() >= threading.active_count()
    assert processes.resident(me) > 1_000_000
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with child:
        assert processes.resident_with_children(me) > processes.resident(me)
        child.communicate(b"\n")


def test_a_process_that_has_gone_needs_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    for has_proc in (True, False):
        monkeypatch.setattr(processes, "_PROC", has_proc)
        assert processes.threads(child.pid) == processes.resident(child.pid) == 0


def test_a_server_starts_and_stops_without_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise ValueError("no signals here")

    monkeypatch.setattr(signal, "signal", refuse)
    with serve(FastAPI()) as server:
        assert httpx.get(server.url + "/openapi.json").status_code == 200


def test_an_answer_in_a_folder_with_difficult_letters_is_marked(tmp_path: Path) -> None:
    folder = tmp_path / "Übung 異步 & more"
    folder.mkdir()
    answer = folder / "my answer é.ipynb"
    shutil.copy(ROOT / "solutions/fix-the-article.ipynb", answer)
    env = {**os.environ, "UNBLOCKED_HOME": str(folder / "Noten ü"), "TMPDIR": str(folder)}
    command = [sys.executable, "-m", "unblocked", "check", "fix-the-article", answer, "--json"]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, check=False)
    result = json.loads(done.stdout)
    assert result["points"] == result["max_points"], result
    assert (folder / "Noten ü" / "marks.json").is_file()
    assert {path.name for path in folder.iterdir()} == {answer.name, "Noten ü"}
