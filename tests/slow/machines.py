"""Machines to try the course on: virtual environments, copies of the course, servers.

A tool that is missing skips a test on a laptop and fails it on the CI machine, which installs all.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from uv import find_uv_bin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
NOT_COPIED = (".git", ".venv*", "*_cache", "__pycache__", "node_modules", ".ipynb_checkpoints")
UV = find_uv_bin()
WITHOUT_BYTECODE = {"PIP_NO_COMPILE": "0"}
"""Has pip leave compiling, most of its work, to the first import. (An option that begins with *no*
is turned on by a word that means no.)"""


def need(condition: object, what: str) -> None:
    if not condition and os.environ.get("CI"):
        pytest.fail(f"the CI machine has no {what}")
    if not condition:
        pytest.skip(f"needs {what}")


def run(*command: str | Path, code: int | None = 0, **options: Any) -> str:
    """Run a command and return what it wrote; its exit code must be `code` (None: any)."""
    words = [str(word) for word in command]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options}
    done = subprocess.run(words, text=True, encoding="utf-8", check=False, **options)
    assert code in (None, done.returncode), f"{words} gave {done.returncode}:\n{done.stdout}"
    return done.stdout or ""


def interpreter(version: str) -> Path:
    """A Python of this version on this machine, pyenv's included."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [*sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)]
    on_path = shutil.which(f"python{version}")
    candidates += [Path(on_path)] if on_path else []
    for candidate in candidates:
        ask = [str(candidate), "-c", "import sys; print(sys.executable)"]
        if subprocess.run(ask, capture_output=True, check=False).returncode == 0:
            return candidate
    need(False, f"Python {version}")
    raise AssertionError


@dataclass(frozen=True)
class VirtualEnv:
    folder: Path

    @classmethod
    def make(cls, folder: Path, version: str, *requirements: str, seed: bool = False) -> VirtualEnv:
        seeds = ["--seed"] if seed else []
        run(UV, "venv", "-q", *seeds, "--python", interpreter(version), folder)
        venv = cls(folder)
        if requirements:
            venv.install(*requirements)
        return venv

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def install(self, *requirements: str, cwd: Path | None = None) -> None:
        run(UV, "pip", "install", "-q", "--python", self.python, *requirements, cwd=cwd)

    def run(self, *arguments: str | Path, **options: Any) -> str:
        return run(self.python, *arguments, **options)


def copy_course(folder: Path) -> Path:
    """A copy of this checkout with nothing installed, in a folder with difficult letters."""
    target = folder / "mein Kurs 異步 é"
    shutil.copytree(REPOSITORY, target, ignore=shutil.ignore_patterns(*NOT_COPIED))
    return target


@dataclass(frozen=True)
class Site:
    """A running server, and how to ask it."""

    url: str
    token: str = ""

    def get(self, path: str) -> tuple[int, bytes]:
        headers = {"Authorization": f"token {self.token}"} if self.token else {}
        request = urllib.request.Request(self.url + path, headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def json(self, path: str) -> Any:
        status, body = self.get(path)
        assert status == 200, body
        return json.loads(body)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(condition: Callable[[], object], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.1)  # between two looks


@contextlib.contextmanager
def serving(
    command: Sequence[str | Path], site: Site, probe: str, log: Path, **options: Any
) -> Iterator[Site]:
    """Start a server in a process group of its own; ended, children included, at the end."""

    def answers() -> bool:
        assert process.poll() is None, log.read_text("utf-8")
        with contextlib.suppress(OSError):
            return site.get(probe)[0] == 200
        return False

    with log.open("w", encoding="utf-8") as out:
        options = {"stdout": out, "stderr": subprocess.STDOUT, **options}
        words = [str(word) for word in command]
        process = subprocess.Popen(words, start_new_session=True, **options)
        try:
            wait_for(answers, seconds=120, what=f"an answer of {words[0]}")
            yield site
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def clean_environment(**changes: str) -> dict[str, str]:
    """This environment without what belongs to the virtual environment that runs the tests."""
    ours = str(Path(sys.prefix) / "bin")
    folders = [f for f in os.environ["PATH"].split(os.pathsep) if f != ours]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("VIRTUAL_ENV", "JUPYTER"))}
    return {**kept, **WITHOUT_BYTECODE, "PATH": os.pathsep.join(folders), **changes}
