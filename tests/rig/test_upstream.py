"""`Upstream`: what it answers, what it counts, when it holds, and that it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest
from rig_waiting import PATIENCE, until

from unblocked.rig import Reply, Upstream, child

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def scripted(quick_upstream: Upstream) -> Iterator[Upstream]:
    routes = {
        "/json": Reply(delay=0, json={"user": "ada"}),
        "/broken": Reply(delay=0, status=500),
        "/turns": Reply(delay=0, status=[503, 503, 200]),
        "/users/*": Reply(delay=0, headers={"x-kind": "user"}),
        "/cut": Reply(delay=0, cut=True),
        "/moved": Reply(delay=0, redirect="/json"),
        "/echo": Reply(delay=0, echo=True),
        "/drip": Reply(delay=0, drip=0.001, size=1000),
    }
    with Upstream(delay=0, routes=routes) as upstream:
        yield upstream


def test_a_body_is_a_token_and_characters_longer_than_a_byte(upstream: Upstream) -> None:
    first, second = (httpx.get(upstream.url) for _ in range(2))
    assert len(first.text) == 200
    assert len(first.content) > 200
    assert first.headers["content-type"] == "text/plain; charset=utf-8"
    assert "\n" not in first.text
    assert first.text[:16] != second.text[:16]
    assert len({character for character in first.text[:50] if ord(character) > 127}) > 3


@pytest.mark.parametrize("size", [0, 1, 16, 17, 18, 5_000])
def test_size_is_in_characters(upstream: Upstream, size: int) -> None:
    assert len(httpx.get(upstream.url, params={"size": size}).text) == size


def test_routes_have_replies_of_their_own(scripted: Upstream) -> None:
    assert httpx.get(f"{scripted.url}/json").json() == {"user": "ada"}
    assert httpx.get(f"{scripted.url}/broken").status_code == 500
    assert httpx.get(f"{scripted.url}/users/7").headers["x-kind"] == "user"
    assert httpx.get(f"{scripted.url}/elsewhere").status_code == 200


def test_statuses_take_turns(scripted: Upstream) -> None:
    got = [httpx.get(f"{scripted.url}/turns").status_code for _ in range(4)]
    assert got == [503, 503, 200, 503]


def test_the_query_overrides(scripted: Upstream) -> None:
    assert httpx.get(f"{scripted.url}/?status=418").status_code == 418
    assert httpx.get(f"{scripted.url}/?json=1").json()["path"] == "/"
    assert httpx.get(f"{scripted.url}/?redirect=/x").headers["location"] == "/x"
    assert httpx.get(f"{scripted.url}/?echo=1&a=b").json()["query"] == "echo=1&a=b"
    assert len(httpx.get(f"{scripted.url}/?drip=0.001&size=100").text) == 100


@pytest.mark.parametrize("query", ["delay=soon", "delay=-1", "delay=inf", "size=big"])
def test_a_query_that_makes_no_sense_is_said(upstream: Upstream, query: str) -> None:
    answer = httpx.get(f"{upstream.url}/?{query}")
    assert answer.status_code == 400
    assert "query" in answer.text


def test_redirects_are_followed(scripted: Upstream) -> None:
    answer = httpx.get(f"{scripted.url}/moved", follow_redirects=True)
    assert answer.json() == {"user": "ada"}


def test_echo(scripted: Upstream) -> None:
    body = "größer" * 300_000
    answer = httpx.post(f"{scripted.url}/echo?a=b", content=body, headers={"x-mine": "1"}).json()
    assert (answer["method"], answer["path"], answer["query"]) == ("POST", "/echo", "a=b")
    assert answer["headers"]["x-mine"] == "1"
    assert answer["body"] == body


@pytest.mark.parametrize("name", ["a%2Fb", "a/b", "%3Fx=1", "%C3%A9", "a%26b", "%231", "a+b"])
def test_an_echo_shows_path_and_query_as_they_were_sent(upstream: Upstream, name: str) -> None:
    address = httpx.URL(f"{upstream.url}/users/{name}?echo=1&user={name}")
    answer = httpx.get(address).json()
    assert f"{answer['path']}?{answer['query']}" == address.raw_path.decode()


def test_an_echo_leaves_out_what_every_client_sends(upstream: Upstream) -> None:
    answer = httpx.post(f"{upstream.url}/?echo=1", json={"limit": 3}).json()
    assert sorted(answer["headers"]) == ["content-type", "user-agent"]


def test_a_dripping_body_comes_in_pieces_without_its_length(scripted: Upstream) -> None:
    with httpx.stream("GET", f"{scripted.url}/drip") as answer:
        assert "content-length" not in answer.headers
        assert len(b"".join(answer.iter_raw()).decode()) == 1000


def test_a_body_cut_off_does_not_look_complete(scripted: Upstream) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{scripted.url}/cut")


def test_counts(upstream: Upstream) -> None:
    with httpx.Client() as client:
        for _ in range(3):
            client.get(upstream.url)
        counts = upstream.counts
        assert (counts.requests, counts.in_flight, counts.peak) == (3, 0, 1)
        assert (counts.open, counts.opened, counts.cut_short) == (1, 1, 0)
    until(lambda: upstream.counts.open == 0)
    upstream.reset()
    assert upstream.counts.requests == upstream.counts.opened == upstream.counts.peak == 0


@pytest.mark.parametrize("query", ["hang=1", "delay=3600", "drip=3600"])
def test_a_caller_that_leaves_is_counted(upstream: Upstream, query: str) -> None:
    async def main() -> None:
        async with httpx.AsyncClient() as client:
            call = asyncio.create_task(client.get(f"{upstream.url}/?{query}", timeout=None))
            await asyncio.to_thread(until, lambda: upstream.counts.in_flight == 1)
            call.cancel()
            await asyncio.wait([call])

    asyncio.run(main())
    until(lambda: upstream.counts.in_flight == 0)
    assert upstream.counts.cut_short == 1
    assert upstream.log()[0].cut_short


def test_the_delay_can_be_changed(upstream: Upstream) -> None:
    upstream.delay = 3600
    try:
        with pytest.raises(httpx.TimeoutException):
            httpx.get(upstream.url, timeout=0.05)
    finally:
        upstream.delay = 0
    assert httpx.get(upstream.url).status_code == 200
    assert upstream.delay == 0


def test_the_rendezvous_holds_until_all_are_there(upstream: Upstream) -> None:
    upstream.gather_at(5, patience=PATIENCE)
    with ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(httpx.get, upstream.url, timeout=PATIENCE) for _ in range(4)]
        until(lambda: upstream.counts.in_flight == 4)
        assert not any(call.done() for call in calls)
        calls.append(pool.submit(httpx.get, upstream.url, timeout=PATIENCE))
        assert all(call.result().status_code == 200 for call in calls)
    assert upstream.counts.peak == 5
    assert httpx.get(upstream.url).status_code == 200, "once open, it stays open"


def test_the_rendezvous_opens_when_patience_ends(upstream: Upstream) -> None:
    upstream.gather_at(2, patience=0.01)
    assert httpx.get(upstream.url).status_code == 200


def test_the_log_has_paths_connections_and_times(upstream: Upstream) -> None:
    with httpx.Client() as client:
        client.get(f"{upstream.url}/first?a=1")
        client.post(f"{upstream.url}/second")
    httpx.get(f"{upstream.url}/third")
    first, second, third = upstream.log()
    assert (first.path, first.query, first.method) == ("/first", "a=1", "GET")
    assert (second.path, second.method, second.status) == ("/second", "POST", 200)
    assert first.connection == second.connection == third.connection - 1
    assert first.ended is not None
    assert 0 < first.started <= first.ended <= second.started


def test_a_thousand_connections_at_once(upstream: Upstream) -> None:
    import aiohttp

    async def main() -> set[int]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def ask() -> int:
                async with session.get(upstream.url) as answer:
                    await answer.read()
                    return answer.status

            return set(await asyncio.gather(*(ask() for _ in range(1000))))

    upstream.gather_at(1000, patience=PATIENCE)
    assert asyncio.run(main()) == {200}
    assert upstream.counts.peak == 1000
    until(lambda: upstream.counts.open == 0)


def test_stopping_ends_the_process(quick_upstream: Upstream) -> None:
    upstream = Upstream()
    process = psutil.Process(upstream.pid)
    upstream.stop()
    assert not process.is_running()
    assert "stopped" in repr(upstream)
    upstream.stop()
    with pytest.raises(RuntimeError, match="the upstream has been stopped: run the cell"):
        upstream.counts  # noqa: B018


def test_stopping_does_not_wait_for_calls_in_flight() -> None:
    with Upstream(hang=True) as upstream, ThreadPoolExecutor() as pool:
        call = pool.submit(httpx.get, upstream.url, timeout=PATIENCE)
        until(lambda: upstream.counts.in_flight == 1)
        upstream.stop()
        assert isinstance(call.exception(), httpx.HTTPError)


def test_a_json_object_that_is_none_is_an_error_at_once() -> None:
    with pytest.raises(TypeError):
        Upstream(json={"when": object()})


def test_an_interrupted_question_leaves_the_next_one_right(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: child.Child) -> child.Message:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(child.Child, "receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            upstream.log()
    assert upstream.counts.requests == 0


_PARENT = """
import sys, time
from unblocked.rig import Upstream
upstream = Upstream(hang=True)
print(upstream.pid, flush=True)
time.sleep(3600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_the_process_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        os.kill(parent.pid, signal.SIGKILL)
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupt_of_the_parents_group_does_not_reach_it(upstream: Upstream) -> None:
    assert os.getpgid(upstream.pid) != os.getpgid(0)


@pytest.mark.parametrize(
    "values",
    [{"calls": "5"}, {"calls": 2.5}, {"calls": -1}]
    + [{"calls": 5, "patience": wrong} for wrong in (None, "1", -1, float("nan"), float("inf"))],
)
def test_a_rendezvous_that_cannot_be_is_refused(upstream: Upstream, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^(calls|patience) must be a .*number.*, not "):
        upstream.gather_at(**values)
    assert upstream.counts.requests == 0


@pytest.mark.parametrize("wrong", ["0.5", None, -1, float("nan"), float("inf")])
def test_a_delay_that_is_none_is_refused_and_changes_nothing(
    upstream: Upstream, wrong: Any
) -> None:
    with pytest.raises(ValueError, match=r"^delay must be a number of seconds"):
        upstream.delay = wrong
    assert upstream.delay == 0
    assert httpx.get(upstream.url).status_code == 200


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"delay": "0.2"}, "delay must be a number of seconds"),
        ({"drip": -1}, "drip must be a number of seconds"),
        ({"size": 1.5}, "size must be a whole number"),
        ({"status": "500"}, "status must be a whole number, or a list of them"),
        ({"status": []}, "status must be a whole number, or a list of them"),
        ({"headers": {"x-count": 1}}, "headers must be text"),
    ],
)
def test_a_reply_that_cannot_be_given_is_refused(fields: dict[str, Any], said: str) -> None:
    for make in (Upstream, Reply):
        with pytest.raises(ValueError, match=f"^{said}.*, not "):
            make(**fields)


def test_a_question_that_fails_there_is_told_here(upstream: Upstream) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="the upstream could not do 'delay': TypeError"):
            upstream._child.ask("delay", minutes=1)
    assert upstream.counts.requests == 0


def test_in_a_hurry_nobody_waits_any_longer() -> None:
    """Calls that would wait for minutes are answered, and later ones wait again."""
    routes = {"/hangs": Reply(hang=True), "/late": Reply(delay=3600)}
    with Upstream(delay=0, routes=routes) as upstream, ThreadPoolExecutor(3) as pool:
        answers = [
            pool.submit(httpx.get, upstream.url + path, timeout=PATIENCE)
            for path in ("/hangs", "/late")
        ]
        until(lambda: upstream.counts.in_flight == 2)
        with upstream.hurried():
            assert [answer.result().status_code for answer in answers] == [200, 200]
            assert httpx.get(f"{upstream.url}/late").status_code == 200
        again = pool.submit(httpx.get, f"{upstream.url}/late", timeout=PATIENCE)
        until(lambda: upstream.counts.in_flight == 1)
        with upstream.hurried():
            assert again.result().status_code == 200
