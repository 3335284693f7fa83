"""How an answer's app starts, and what is said when it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from conftest import RIGHT

from unblocked.grading.checks import Reply
from unblocked.grading.sandbox import starting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Marked = Callable[..., list[dict[str, Any]]]

PLAIN_ASGI = """
import httpx


async def app(scope, receive, send):
    assert scope["type"] == "http"
    async with httpx.AsyncClient() as client:
        body = (await client.get(URL)).content
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""
IN_A_GROUP = """
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, "a while")
"""


def test_an_answer_asks_for_versions_of_packages(marked: Marked) -> None:
    [result] = marked("from importlib.metadata import version\nversion('httpx')\n" + RIGHT)
    assert result["points"] == 6


def test_an_app_that_knows_no_lifespan(marked: Marked) -> None:
    [result] = marked(PLAIN_ASGI)
    assert result["points"] == 6


@pytest.mark.parametrize(
    ("first", "why"),
    [
        ("    limit = TIMEOUT\n", "NameError: name 'TIMEOUT' is not defined (line 11 of"),
        (
            "    httpx.AsyncClient(time_out=5)\n",
            "unexpected keyword argument 'time_out' (line 11 of",
        ),
        (IN_A_GROUP, "TypeError: "),
    ],
)
def test_a_lifespan_that_raises_is_told_with_its_line(marked: Marked, first: str, why: str) -> None:
    begin = "async def lifespan(app):\n"
    [result] = marked(
        RIGHT.replace(begin, begin + first).replace("import httpx", "import anyio, httpx")
    )
    message = result["checks"][0]["message"]
    assert message.startswith("Your app did not start: its lifespan raised ")
    assert why in message
    assert "of your answer)" in message


def test_names_of_the_notebook_may_be_imported_but_not_used(marked: Marked) -> None:
    imported = "from unblocked import Upstream, check, serve\n" + RIGHT
    used, unknown = imported + "\nserve(app)\n", "from unblocked import server\n" + RIGHT
    results = marked(imported, used, unknown)
    assert [result["points"] for result in results] == [6, 0, 0]
    messages = [result["checks"][0]["message"] for result in results[1:]]
    assert "serve() is for the notebook: leave it out of the answer's cell" in messages[0]
    assert "cannot import name 'server'" in messages[1]


def test_a_reply_nested_too_deep_is_no_json() -> None:
    assert Reply(200, {}, b"[" * 100_000).json() is None


@pytest.mark.parametrize("module", ["commands", "__main__"])
def test_what_imports_for_long_is_started_before_its_marker_imports_much(module: str) -> None:
    say = f"import sys, unblocked.grading.{module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True)
    assert "unblocked.grading.sandbox.starting" in done.stdout.split()
    assert not {"asyncio", "ssl", "aiohttp", "httpx", "psutil"} & set(done.stdout.split())


def test_a_deep_temporary_folder(
    marked: Marked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    [result] = marked(RIGHT, fresh=True)
    assert result["points"] == 6


def test_started_in_a_folder_that_is_gone(
    marked: Marked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    [result] = marked(RIGHT, fresh=True)
    assert result["points"] == 6


def test_certificates_are_found_again_after_the_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "ours.pem")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    with starting.no_certificates():
        assert os.environ["SSL_CERT_FILE"] == os.environ["SSL_CERT_DIR"] == os.devnull
    assert os.environ["SSL_CERT_FILE"] == "ours.pem"
    assert "SSL_CERT_DIR" not in os.environ
