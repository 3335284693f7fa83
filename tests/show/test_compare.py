"""`compare` for real: served, loaded, measured, and nothing left behind."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from unblocked.rig import LoadResult, Meter
from unblocked.show.compare import _measure, compare
from unblocked.show.compare._measure import Bench, Measured, Plan
from unblocked.show.compare._table import COLUMNS

if TYPE_CHECKING:
    from unblocked.rig import Upstream

PLAN = Plan(users=2, seconds=0.2, fan_out=None, delay=None, path="/", rounds=2)


class App:
    """An ASGI app without a lifespan that remembers what it was asked."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.queries: set[str] = set()
        self.called = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        self.queries.add(scope["query_string"].decode())
        self.called.set()
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


class Watcher:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.rows: list[Any] = []
        self.first_row = threading.Event()

    def begin(self, plan: Plan) -> None:
        self.told.append("begin")

    def warming(self, variant: str, turn: int) -> None:
        self.told.append(f"warming {variant} {turn}")

    def counting(self, variant: str, turn: int) -> None:
        self.told.append(f"counting {variant} {turn}")

    def measured(self, variant: str, row: Any) -> None:
        self.rows.append(row)
        self.first_row.set()

    def ended(self, variant: str, turn: int) -> None:
        self.told.append(f"ended {variant} {turn}")


def test_each_variant_gets_a_row_with_all_numbers(
    upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    variants = {"one": App(), "two": App()}
    result = asyncio.run(compare(variants, upstream=upstream, users=2, seconds=0.3, fan_out=7))
    assert [row["variant"] for row in result.rows] == ["one", "two"]
    for row in result.rows:
        assert {key for _, keys in COLUMNS for key in keys.split()} <= set(row)
        assert row["rounds"] == 3
        assert row["answers_lowest"] <= row["answers_per_second"] <= row["answers_highest"]
        assert row["threads_added"] == row["threads_peak"] - row["threads_before"] == 0
        assert row["answers_per_second"] > 0
        assert row["p50_ms"] <= row["p99_ms"]
        assert row["errors"] == 0
    assert variants["one"].queries == {"fan_out=7"}
    assert "answers a second" in capsys.readouterr().out


def test_failing_answers_are_counted_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    result = asyncio.run(compare({"broken": App(503)}, users=1, seconds=0.2))
    assert result["broken"]["errors"] > 0
    assert result["broken"]["p50_ms"] is None
    assert any("503" in note for note in result.notes)
    assert "503" in capsys.readouterr().out


def test_the_delay_of_the_upstream_is_varied(upstream: Upstream) -> None:
    bench = Bench({"one": App()}, upstream)
    plan = Plan(1, 0.2, None, 0.05, "/")
    asyncio.run(bench.run(plan, Watcher(), asyncio.Event()))
    assert upstream.delay == 0.05


def test_variants_take_turns_and_are_warmed_up_each_time() -> None:
    watcher = Watcher()
    apps = {"one": App(), "two": App()}
    result = asyncio.run(Bench(apps, None).run(PLAN, watcher, asyncio.Event()))
    steps = [f"{step} {name}" for name in apps for step in ("warming", "counting", "ended")]
    assert watcher.told == ["begin", *(f"{step} {turn}" for turn in (1, 2) for step in steps)]
    assert watcher.rows
    assert all(len(row) == 1 + len(_measure.SERIES) for row in watcher.rows)
    assert [curve.variant for curve in result.curves] == ["one", "two"]


def test_what_comes_before_every_user_was_answered_does_not_count() -> None:
    """An app whose first two answers are errors, as one whose imports fail once might be."""

    class Cold(App):
        served = 0

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            self.served += 1
            self.status = 503 if self.served <= PLAN.users else 200
            await super().__call__(scope, receive, send)

    plan = replace(PLAN, rounds=1)
    result = asyncio.run(Bench({"cold": Cold()}, None).run(plan, Watcher(), asyncio.Event()))
    assert result["cold"]["errors"] == 0
    assert result["cold"]["answers"] > 0


def test_the_figures_are_the_medians_of_the_rounds() -> None:
    def load_result(per_second: int, latency: float) -> LoadResult:
        return LoadResult(per_second, {}, 1.0, {200: per_second}, (latency,), 0.1, 0.0)

    found = Measured("one", [load_result(100, 0.3), load_result(10, 0.1), load_result(90, 0.2)])
    with Meter() as meter:
        found.meters.append(meter)
    numbers = found.numbers()
    assert numbers["answers_per_second"] == 90
    assert (numbers["answers_lowest"], numbers["answers_highest"]) == (10, 100)
    assert numbers["p50_ms"] == 200
    assert numbers["answers"] == 200


def test_lines_have_a_gap_between_rounds_and_time_goes_on() -> None:
    result = asyncio.run(Bench({"one": App()}, None).run(PLAN, Watcher(), asyncio.Event()))
    (curve,) = result.curves
    assert list(curve.threads).count(None) == 1
    assert list(curve.seconds) == sorted(curve.seconds)


def test_stop_ends_a_run_and_keeps_what_was_measured() -> None:
    async def stopped() -> Any:
        stop, watcher = asyncio.Event(), Watcher()
        bench = Bench({"one": App(), "two": App()}, None)
        plan = Plan(1, 3600.0, None, None, "/")
        running = asyncio.ensure_future(bench.run(plan, watcher, stop))
        assert await asyncio.to_thread(watcher.first_row.wait, 30)
        stop.set()
        return await running

    result = asyncio.run(stopped())
    assert [row["variant"] for row in result.rows] == ["one"]
    assert any("Stopped early" in note for note in result.notes)


def test_stop_ends_threads_that_would_wait_for_an_hour(upstream: Upstream) -> None:
    """No thread can be cancelled, and the pool's end waits for them: the upstream lets them go."""

    async def in_a_thread(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        with ThreadPoolExecutor(1) as pool:
            await asyncio.get_running_loop().run_in_executor(pool, urlopen, upstream.url)
        await App()(scope, receive, send)

    async def stopped() -> Any:
        stop, watcher = asyncio.Event(), Watcher()
        bench = Bench({"threads": in_a_thread}, upstream)
        plan = Plan(users=2, seconds=3600.0, fan_out=None, delay=3600.0, path="/")
        running = asyncio.ensure_future(bench.run(plan, watcher, stop))
        assert await asyncio.to_thread(watcher.first_row.wait, 30)
        stop.set()
        return await running

    result = asyncio.run(stopped())
    assert any("Stopped early" in note for note in result.notes)
    assert upstream.counts.in_flight == 0


def test_cancelling_leaves_nothing() -> None:
    async def cancelled() -> None:
        app = App()
        running = asyncio.ensure_future(compare({"one": app}, users=1, seconds=3600.0))
        assert await asyncio.to_thread(app.called.wait, 30)
        running.cancel("by me")
        with pytest.raises(asyncio.CancelledError, match="by me") as caught:
            await running
        assert "_compare" not in files(caught.value)

    asyncio.run(cancelled())


def files(error: BaseException) -> list[str]:
    """The files that the error came through."""
    return [Path(frame.filename).stem for frame in extract_tb(error.__traceback__)]


def test_users_are_capped_to_the_sockets_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_measure, "descriptors_left", lambda: 64 + 6 * 3)
    plan, notes = Bench({}, None)._within_limits(Plan(500, 1.0, None, None, "/"))
    assert plan.users == 3
    assert "500 users need more open sockets" in notes[0]


def test_a_start_up_that_fails_raises_the_apps_own_error() -> None:
    with pytest.raises((LookupError, RuntimeError)):
        asyncio.run(compare({"broken": _Fails()}, users=1, seconds=0.1))


class _Fails:
    """Its start-up fails as a lifespan's does."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no settings"})
        raise LookupError("no settings")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [(({},), "at least one variant"), (({"one": App()},), "give compare the upstream")],
)
def test_what_cannot_be_compared_is_refused(arguments: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        asyncio.run(compare(*arguments, delay=0.5))


@pytest.mark.parametrize("numbers", [{"rounds": 0}, {"seconds": 0}, {"users": 0}])
def test_a_load_that_cannot_be_made_is_refused(numbers: Any) -> None:
    with pytest.raises(ValueError, match="at least one round, one user and some seconds"):
        asyncio.run(compare({"one": App()}, **numbers))


def test_an_earlier_result_is_shown_beside(capsys: pytest.CaptureFixture[str]) -> None:
    async def both() -> Any:
        first = await compare({"one": App()}, users=1, seconds=0.1, rounds=1)
        return await compare({"two": App()}, users=2, seconds=0.1, rounds=1, beside=first)

    second = asyncio.run(both())
    assert [row["variant"] for row in second.rows] == ["two"]
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("one (1 user)") for line in lines) == 1


def test_a_plan_describes_itself() -> None:
    plan = Plan(50, 2.5, 5, 0.2, "/feed?x=1")
    assert str(plan) == "50 users, fan-out 5, upstream 200 ms, 3 rounds of 0.83 s each"
    assert str(replace(plan, rounds=1)).endswith("1 round of 2.5 s each")
    assert plan.query == "/feed?x=1&fan_out=5"
