"""What the rig asks of the machine, and what importing it costs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from types import ModuleType

import httpx
import httpx2
import pytest
import requests
from httpx_aiohttp import HttpxAiohttpClient

from unblocked.rig import (
    Upstream,
    _host,
    descriptors_left,
    free_loopback_of_proxies,
    raise_descriptor_limit,
)


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.usefixtures("no_proxies")
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
def test_loopback_goes_to_no_proxy(no_proxies: pytest.MonkeyPatch, before: str, after: str) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        no_proxies.setenv(name, before)
    free_loopback_of_proxies()
    free_loopback_of_proxies()
    assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == after


VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
NOWHERE = "http://127.0.0.1:9"
SOCKS = "socks5://127.0.0.1:9"


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any, whatever this machine has, and put back afterwards."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in (*VARIABLES, "NO_PROXY"):  # so that what the rig sets is put back, too
        for either in (name, name.lower()):
            monkeypatch.setenv(either, "")
            monkeypatch.delenv(either)
    monkeypatch.setattr(_host, "_fit", None)
    monkeypatch.setattr(_host, "_said", set())
    return monkeypatch


ODD = [
    *({name: value} for name in VARIABLES for value in (NOWHERE, SOCKS)),
    *({name.lower(): value} for name in VARIABLES for value in (NOWHERE, SOCKS)),
    dict.fromkeys(VARIABLES, SOCKS),
    dict.fromkeys(VARIABLES, NOWHERE) | {"all_proxy": SOCKS, "NO_PROXY": "example.org"},
    {"HTTP_PROXY": NOWHERE, "http_proxy": SOCKS},
    {"ALL_PROXY": "socks4://127.0.0.1:9"},
    {"ALL_PROXY": "http://user:p%40ss@127.0.0.1:9"},
    {"HTTPS_PROXY": "http://127.0.0.1:port"},
    {"HTTP_PROXY": " http://127.0.0.1:9 "},
    {"HTTP_PROXY": "127.0.0.1:9", "HTTPS_PROXY": ""},
    *(
        {"HTTP_PROXY": NOWHERE, name: value}
        for name in ("NO_PROXY", "no_proxy")
        for value in ("", ",", "*", "[::1]", "::1", "127.0.0.0/8, ::1/128", "localhost:*", "*.x")
    ),
    {"NO_PROXY": "example.org", "no_proxy": "[::1],example.com"},
    {"ALL_PROXY": SOCKS, "NO_PROXY": "*"},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_every_client_reaches_this_machine_whatever_proxies_are_set(
    no_proxies: pytest.MonkeyPatch, upstream: Upstream, odd: dict[str, str]
) -> None:
    for name, value in odd.items():
        no_proxies.setenv(name, value)
    free_loopback_of_proxies()
    blocking = [httpx.get(upstream.url), requests.get(upstream.url, timeout=10)]
    assert [reply.status_code for reply in blocking] == [200] * 2
    assert asyncio.run(statuses(upstream.url)) == [200] * 3
    assert upstream.counts.requests == 5


async def statuses(url: str) -> list[int]:
    """What the clients that the lessons make are answered."""
    async with httpx.AsyncClient() as client:
        got = [(await client.get(url)).status_code]
    async with httpx2.AsyncClient() as client:
        got.append((await client.get(url)).status_code)
    async with HttpxAiohttpClient() as client:
        got.append((await client.get(url)).status_code)
    return got


WHOLE = """
import asyncio, httpx
from unblocked import Upstream, load, serve

async def app(scope, receive, send):
    async with httpx.AsyncClient() as client:
        status = (await client.get(upstream.url)).status_code
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})

httpx.AsyncClient()
with Upstream(delay=0) as upstream, serve(app, lifespan="off") as server:
    result = asyncio.run(load(server, users=2, requests=4))
    print(httpx.get(server.url).status_code, result.answers, result.errors)
"""


@pytest.mark.parametrize("value", [NOWHERE, SOCKS])
def test_a_lesson_works_with_every_variable_set(no_proxies: pytest.MonkeyPatch, value: str) -> None:
    for name in VARIABLES:
        no_proxies.setenv(name, value)
        no_proxies.setenv(name.lower(), value)
    no_proxies.setenv("NO_PROXY", "[::1]")
    assert run(WHOLE) == "200 4 {}"


def test_what_is_left_out_is_said_once_and_without_its_password(
    no_proxies: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_proxies.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    no_proxies.setenv("ALL_PROXY", "socks5://ada:secret@127.0.0.1:9")
    free_loopback_of_proxies()
    told, alarm = capsys.readouterr()
    assert "HTTPX refuses what they say: ALL_PROXY." in told
    assert "secret" not in told
    assert alarm == ""
    assert "ALL_PROXY" not in os.environ
    no_proxies.setenv("ALL_PROXY", SOCKS)
    free_loopback_of_proxies()
    assert "ALL_PROXY" not in os.environ
    assert capsys.readouterr() == ("", "")


def test_a_terminal_is_told_nothing(
    no_proxies: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_proxies.delitem(sys.modules, "ipykernel", raising=False)
    no_proxies.setenv("ALL_PROXY", SOCKS)
    free_loopback_of_proxies()
    assert "ALL_PROXY" not in os.environ
    assert capsys.readouterr() == ("", "")


def test_proxies_that_can_be_used_stay(no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("HTTPS_PROXY", "http://ada:secret@proxy.example:3128")
    no_proxies.setenv("HTTP_PROXY", "proxy.example:3128")
    no_proxies.setenv("NO_PROXY", "[::1],intranet.example")
    free_loopback_of_proxies()
    assert os.environ["HTTPS_PROXY"] == "http://ada:secret@proxy.example:3128"
    assert os.environ["HTTP_PROXY"] == "proxy.example:3128"
    assert os.environ["NO_PROXY"] == "intranet.example,127.0.0.1,localhost"


def test_usual_proxies_load_no_http_client(no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    no_proxies.setenv("NO_PROXY", "localhost,.example.org")
    assert "httpx" not in run("import sys, unblocked.rig; print(*sys.modules)").split()


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
