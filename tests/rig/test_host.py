"""What the rig asks of the machine, and what importing it costs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from unblocked.rig import descriptors_left, free_loopback_of_proxies, raise_descriptor_limit


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_importing_loads_nothing_heavy() -> None:
    heavy = {"aiohttp", "uvicorn", "psutil", "fastapi", "starlette", "httpx", "unblocked.show"}
    loaded = run("import sys, unblocked.rig; print(*sys.modules)").split()
    assert heavy.isdisjoint(loaded)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "127.0.0.1,localhost"),
        ("example.org", "example.org,127.0.0.1,localhost"),
        ("localhost, 127.0.0.1", "localhost,127.0.0.1"),
        ("*", "*"),
    ],
)
def test_loopback_goes_to_no_proxy(
    monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, before)
    free_loopback_of_proxies()
    free_loopback_of_proxies()
    assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == after


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_the_descriptor_limit_is_raised_as_far_as_it_may_be() -> None:
    allowed = run(
        "import resource\n"
        "from unblocked.rig import raise_descriptor_limit\n"
        "hard = min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))\n"
        "print(raise_descriptor_limit() == hard == resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    assert allowed == "True"


def test_descriptors_left() -> None:
    assert 0 < descriptors_left() < raise_descriptor_limit()
