"""Timeline and watch strip of a served app."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest
from show_waiting import until

from unblocked.rig import Upstream, load, serve
from unblocked.show.compare import timeline
from unblocked.show.compare._timeline import Bar, most_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unblocked.rig import Server

PNG = b"\x89PNG\r\n"


class Caller:
    """An app that asks the upstream twice for each request, one after the other."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream.port)
            writer.write(b"GET /two HTTP/1.1\r\nHost: u\r\nConnection: close\r\n\r\n")
            await reader.read()
            writer.close()
            await writer.wait_closed()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def server(upstream: Upstream) -> Iterator[Server]:
    with serve(Caller(upstream), name="caller", lifespan="off") as server:
        yield server


def test_each_request_and_each_call_has_a_bar(server: Server, upstream: Upstream) -> None:
    asyncio.run(load(server.url, users=1, requests=2))
    until(lambda: all(call.ended is not None for call in upstream.log()))
    drawn = timeline(server, upstream)
    assert len(drawn.requests) == 2
    assert [bar.label for bar in drawn.calls] == ["GET /two"] * 4
    assert min(bar.start for bar in (*drawn.requests, *drawn.calls)) == 0
    assert all(bar.complete for bar in drawn.calls)
    assert "2 requests and 4 upstream calls" in str(drawn)
    assert base64.b64decode(drawn.bundle()["image/png"]).startswith(PNG)


def test_only_the_newest_bars_are_kept(server: Server, upstream: Upstream) -> None:
    asyncio.run(load(server.url, users=1, requests=3))
    drawn = timeline(server, upstream, most=2)
    assert (len(drawn.requests), len(drawn.calls), drawn.left_out) == (2, 2, 5)
    assert "5 earlier ones are left out" in str(drawn)


def test_nothing_to_draw_is_said(server: Server, upstream: Upstream) -> None:
    assert timeline(server, upstream).bundle() == {"text/plain": "Nothing was asked for yet."}


def test_bars_that_touch_do_not_overlap() -> None:
    def bar(start: float, end: float) -> Bar:
        return Bar("GET /", "1", start, end, complete=True)

    assert most_at_once([]) == 0
    assert most_at_once([bar(0, 1), bar(1, 2)]) == 1
    assert most_at_once([bar(0, 2), bar(1, 3), bar(1.5, 1.6)]) == 3


def test_a_watch_ends_with_its_app(upstream: Upstream, capsys: pytest.CaptureFixture[str]) -> None:
    with serve(Caller(upstream), name="caller", lifespan="off") as server:
        watch = server.watch(every=0.02)
        assert watch.running
    until(lambda: not watch.running)
    printed = capsys.readouterr().out
    assert "caller:" in printed
    assert "requests in flight" in printed


def test_watching_again_replaces_the_strip(server: Server) -> None:
    first = server.watch(every=0.02)
    second = server.watch(every=0.02)
    assert not first.running
    second.stop()
    second.stop()
    assert not second.running
    assert second._bundle()["text/html"].count("data:image/png") == 1
