"""`load`: closed and open loop, what is counted, and that its process ends."""

from __future__ import annotations

import asyncio
import math
import re
import socket
from typing import TYPE_CHECKING

import psutil
import pytest
from rig_waiting import PATIENCE, until

from unblocked.rig import LoadResult, load

if TYPE_CHECKING:
    from unblocked.rig import Upstream


def run_load(url: object, **options: object) -> LoadResult:
    return asyncio.run(load(url, **options))  # type: ignore[arg-type]


def result(**changes: object) -> LoadResult:
    fields: dict[str, object] = {
        "answers": 4,
        "errors": {},
        "seconds": 2.0,
        "statuses": {200: 4},
        "latencies": (0.4, 0.1, 0.3, 0.2),
        "cpu": 0.1,
        "lag": 0.001,
    }
    return LoadResult(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_number_of_requests(upstream: Upstream) -> None:
    got = run_load(upstream.url, users=7, requests=50)
    assert got.answers == 50
    assert got.statuses == {200: 50}
    assert got.errors == {}
    assert upstream.counts.requests == 50
    assert upstream.counts.peak <= 7


def test_all_users_ask_at_once(upstream: Upstream) -> None:
    upstream.gather_at(40, patience=PATIENCE)
    assert run_load(upstream, users=40, requests=40).answers == 40
    assert upstream.counts.peak == 40


def test_a_duration(upstream: Upstream) -> None:
    got = run_load(upstream.url, users=2, duration=0.3)
    assert got.answers == upstream.counts.requests > 0
    assert got.seconds >= 0.3
    assert len(got.latencies) == got.answers


def test_open_loop_does_not_wait_for_answers(upstream: Upstream) -> None:
    upstream.gather_at(30, patience=PATIENCE)
    got = run_load(upstream.url, rate=200, requests=30)
    assert got.answers == 30
    assert upstream.counts.peak == 30


def test_open_loop_counts_from_the_intended_start(upstream: Upstream) -> None:
    upstream.gather_at(20, patience=PATIENCE)
    got = run_load(upstream.url, rate=100, requests=20)
    # The first waits until the last has come, which is meant to start 190 ms later.
    assert max(got.latencies) >= 0.19


def test_bad_statuses_are_errors_and_no_answers(upstream: Upstream) -> None:
    got = run_load(f"{upstream.url}/?status=503", users=2, requests=6)
    assert (got.answers, got.statuses, got.errors) == (0, {503: 6}, {"status 503": 6})
    assert math.isnan(got.p50)
    assert "none" in str(got)


def test_a_body_cut_off_is_an_error(upstream: Upstream) -> None:
    got = run_load(f"{upstream.url}/?cut=1", users=1, requests=2)
    assert got.answers == 0
    assert sum(got.errors.values()) == 2


def test_timeouts_are_errors(upstream: Upstream) -> None:
    got = run_load(f"{upstream.url}/?hang=1", users=3, requests=3, timeout=0.05)
    assert got.errors == {"TimeoutError": 3}


def test_nobody_there() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        got = run_load(f"http://127.0.0.1:{closed.getsockname()[1]}", users=2, requests=4)
    assert sum(got.errors.values()) == 4
    assert got.per_second == 0


def test_method_headers_and_body(upstream: Upstream) -> None:
    got = run_load(upstream.url, users=1, requests=1, method="POST", body="x", headers={"a": "b"})
    assert got.answers == 1
    assert upstream.log()[0].method == "POST"


def test_progress_grows_to_the_result(upstream: Upstream) -> None:
    seen: list[LoadResult] = []
    got = run_load(upstream.url, users=2, duration=0.8, on_progress=seen.append)
    counts = [partial.answers for partial in seen]
    assert counts == sorted(counts)
    assert seen
    assert counts[-1] <= got.answers


@pytest.mark.parametrize(
    "options", [{"users": 0}, {"rate": 0}, {"duration": 0}, {"timeout": 0}, {"rate": -1}]
)
def test_what_cannot_be_made_is_refused(upstream: Upstream, options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        run_load(upstream.url, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"users": "5"}, "users must be a whole number greater than 0, not '5'"),
        ({"users": 2.5}, "users must be a whole number greater than 0, not 2.5"),
        ({"requests": "10"}, "requests must be a whole number greater than 0, not '10'"),
        ({"requests": -1}, "requests must be a whole number greater than 0, not -1"),
        ({"duration": math.nan}, "duration must be a number greater than 0, not nan"),
        ({"rate": math.inf}, "rate must be a number greater than 0, not inf"),
        ({"timeout": None}, "timeout must be a number greater than 0, not None"),
        ({"headers": {"x": 1}}, "headers must be text, not 1: write {'x': '1'}"),
        ({"headers": {1: "x"}}, "headers must be text, not 1: write {'1': 'x'}"),
        ({"body": b"x"}, "body must be text, not b'x'"),
        ({"method": 1}, "method must be text, not 1"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_a_sentence(
    upstream: Upstream, options: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        run_load(upstream.url, **options)


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="http://"):
        run_load("127.0.0.1:8000")


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def test_cancelling_ends_the_process(upstream: Upstream) -> None:
    before = children()

    async def main() -> None:
        task = asyncio.create_task(load(f"{upstream.url}/?hang=1", users=3))
        await asyncio.to_thread(until, lambda: upstream.counts.in_flight == 3)
        assert len(children() - before) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert children() == before

    asyncio.run(main())


def test_an_error_in_the_callback_ends_the_process(upstream: Upstream) -> None:
    before = children()

    def fail(partial: LoadResult) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_load(f"{upstream.url}/?hang=1", users=1, on_progress=fail)
    assert children() == before


def test_quantiles() -> None:
    assert result().p50 == 0.2
    assert result().p99 == 0.4
    assert result().per_second == 2.0


@pytest.mark.parametrize(
    ("figures", "limited"),
    [
        ({"cpu": 0.9}, True),
        ({"cpu": 0.5, "lag": 0.006}, False),
        ({"cpu": 0.5, "lag": 0.050}, True),
        ({"cpu": 0.5, "lag": 0.050, "latencies": (), "answers": 0}, True),
        ({"cpu": 0.5, "lag": 0.001, "latencies": (), "answers": 0}, False),
    ],
)
def test_it_says_when_it_was_itself_the_limit(figures: dict[str, object], limited: bool) -> None:
    got = result(**figures)
    assert got.limited is limited
    assert ("itself was the limit" in str(got)) is limited
    assert ("itself was the limit" in got._repr_html_()) is limited
