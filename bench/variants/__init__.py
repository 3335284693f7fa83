"""Ways to make five calls in an endpoint: the apps that the studies compare.

`serving(NAME, UPSTREAM)` serves one in a process of its own. `LABELS` says what each is called in
tables; `bench.variants.studied.APPS` makes them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from unblocked.rig import free_loopback_of_proxies
from unblocked.show.compare.race import server_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LABELS = {
    "threads_requests": "a thread pool for each request, requests",
    "threads_in_def": "a thread pool for each request in a `def` endpoint, requests",
    "threads_shared": "one pool of 100 threads, requests",
    "threads_default": "the loop's own thread pool, requests",
    "threads_httpx": "a thread pool for each request, one httpx.Client",
    "httpx_default": "httpx.AsyncClient as it comes, with its limit of 100",
    "httpx_article": "httpx.AsyncClient, 10 connections, 5 kept",
    "httpx_20_kept": "httpx.AsyncClient, 1000 connections, 20 kept",
    "httpx_wide": "httpx.AsyncClient, 1000 connections, 1000 kept",
    "httpx_semaphore": "httpx.AsyncClient behind a semaphore of 100",
    "httpx_sharded": "50 httpx.AsyncClients of 20 connections in turn",
    "httpx2_20_kept": "httpx2.AsyncClient, 1000 connections, 20 kept",
    "httpx2_wide": "httpx2.AsyncClient, 1000 connections, 1000 kept",
    "on_pyreqwest": "httpx.AsyncClient on pyreqwest",
    "on_pycurl": "httpx.AsyncClient on httpx-pycurl",
    "on_curl_cffi": "httpx.AsyncClient on httpx-curl-cffi",
    "on_aiohttp": "HttpxAiohttpClient",
    "on_aiohttp_gc": "HttpxAiohttpClient, rare collection",
    "on_aiohttp_prebuilt": "HttpxAiohttpClient, rare collection, request built once",
    "on_aiohttp2": "Httpx2AiohttpClient",
    "on_aiohttp2_gc": "Httpx2AiohttpClient, rare collection",
    "on_aiohttp2_prebuilt": "Httpx2AiohttpClient, rare collection, request built once",
    "on_lean": "httpx.AsyncClient on a transport of our own",
    "on_lean_gc": "a transport of our own, rare collection",
    "on_lean_prebuilt": "a transport of our own, rare collection, request built once",
    "aiosonic_gc": "aiosonic.httpx_client, rare collection",
    "aiohttp": "aiohttp",
    "aiohttp_gc": "aiohttp, rare collection",
    "no_call": "no call: FastAPI that sleeps",
    "relay_buffered": "the whole body read, then sent",
    "relay_streamed": "streamed, HttpxAiohttpClient",
    "relay_streamed_stock": "streamed, httpx.AsyncClient",
}
"""Name in `studied.APPS` → what it is called in tables."""

NEEDED = {
    "on_pyreqwest": "pyreqwest",
    "on_pycurl": "httpx_pycurl",
    "on_curl_cffi": "httpx_curl_cffi",
    "aiosonic_gc": "aiosonic",
}
"""Name of a variant → the module that it needs, which only the extra `bench` installs."""

AUTHORITIES = "UPSTREAM_AUTHORITIES"
"""The environment variable with a PEM file of those whose certificates the variants trust."""
_ROOT = Path(__file__).resolve().parents[2]
_LEAVE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant that is being served by a process of its own."""

    url: str
    pid: int


def there(names: Iterable[str]) -> list[str]:
    """The names whose packages are installed."""
    return [name for name in names if name not in NEEDED or find_spec(NEEDED[name])]


def say_missing(names: Iterable[str]) -> list[str]:
    """A sentence for the page when packages are missing."""
    names = list(names)
    left_out = sorted(set(names) - set(there(names)))
    if not left_out:
        return []
    said = ", ".join(f"{LABELS[name]} ({NEEDED[name]})" for name in left_out)
    return [f"Not measured, since not installed (`pip install -e .[bench]`): {said}."]


@contextmanager
def serving(name: str, upstream: str) -> Iterator[Variant]:
    """A variant in a process of its own, served until the block ends.

    Raises:
        RuntimeError: it did not start.
    """
    free_loopback_of_proxies()
    loop, http = server_options()
    command = ["-m", "bench.variants", name, f"--loop={loop}", f"--http={http}"]
    process = subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, "UPSTREAM": upstream},
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError(f"{name} did not start")
        yield Variant(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.stdin.close()
        _await_end(process)
        process.stdout.close()


def _await_end(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(_LEAVE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
