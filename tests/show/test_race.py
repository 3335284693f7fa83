"""`unblocked race` and its variants."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from importlib import import_module
from typing import TYPE_CHECKING

import psutil
import pytest
from show_waiting import until

from unblocked.rig import LoadResult, Upstream, load
from unblocked.show.compare import race as module
from unblocked.show.compare.race import Run, measured, race, serving, table
from unblocked.show.compare.variants import CONNECTIONS, KEPT, NAMES

if TYPE_CHECKING:
    from pathlib import Path


def result(answers: int, errors: int = 0, cpu: float = 0.1) -> LoadResult:
    return LoadResult(
        answers, {"TimeoutError": errors} if errors else {}, 1.0, {}, (0.5,) * answers, cpu, 0.0
    )


RUNS = [
    Run("threads_requests", 50, 250, 12.3, [result(77), result(70), result(99, cpu=0.99)]),
    Run("httpx_default", 50, 0, 1.0, [result(0, errors=2)]),
]


def test_the_table_names_variants_and_errors() -> None:
    lines = table(RUNS).splitlines()
    assert lines[0].split()[-1] == "errors"
    assert lines[2].startswith(NAMES["threads_requests"])
    assert lines[2].split()[-1] == "0"
    assert "errors" not in table(RUNS[:1])


def test_race_prints_the_table_and_draws_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def done(users: object) -> list[Run]:
        return RUNS

    monkeypatch.setattr(module, "measured", done)
    picture = tmp_path / "race.png"
    assert race(Namespace(users=[50], out=picture)) == 0
    printed = capsys.readouterr().out
    assert "threads added" in printed
    assert "70.0 to 99.0" in printed
    assert f"{CONNECTIONS:,} connections" in printed
    assert "load generator was the limit" in printed
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_figures_are_the_medians_of_the_rounds() -> None:
    run = RUNS[0].figures
    assert run.per_second == 77
    assert (run.p50_ms, run.p99_ms) == (500, 500)
    assert run.limited
    assert RUNS[1].figures.p50_ms is None
    assert RUNS[1].figures.errors.total() == 2


@pytest.mark.parametrize("name", NAMES)
def test_each_variant_makes_five_calls_at_once(name: str) -> None:
    """Threads are counted while the upstream holds all five: no sample can miss them."""

    async def held(upstream: Upstream, url: str, process: psutil.Process) -> int:
        asked = asyncio.ensure_future(load(url, users=1, requests=1))
        await asyncio.to_thread(until, lambda: upstream.counts.in_flight == 5)
        threads = process.num_threads()
        upstream.gather_at(0)
        assert (await asked).answers == 1
        return threads

    with Upstream() as upstream, serving(name, upstream.url) as variant:
        process = psutil.Process(variant.pid)
        asyncio.run(load(variant.url, users=1, requests=1))
        idle = process.num_threads()
        upstream.reset()
        upstream.gather_at(6, patience=60)
        threads = asyncio.run(held(upstream, variant.url, process))
        assert upstream.counts.requests == 5
        assert threads - idle == (5 if name == "threads_requests" else 0)


def test_variants_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(module, "_say", said.append)
    names = ["httpx_itself", "aiohttp_itself"]
    runs = asyncio.run(measured([1], names, seconds=0.05, rounds=2))
    turns = [text.split(": ")[1].split(" …")[0] for text in said if text]
    assert turns == [NAMES[name] for name in names] * 2
    assert [len(run.rounds) for run in runs] == [2, 2]
    assert all(not run.figures.errors and run.figures.per_second > 0 for run in runs)


def test_every_variant_is_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTREAM", "http://127.0.0.1:1")
    for name in NAMES:
        assert import_module(f"unblocked.show.compare.variants.{name}").app


@pytest.mark.parametrize("name", ["httpx_itself", "httpx_on_aiohttp"])
def test_all_clients_have_the_same_limits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTREAM", "http://127.0.0.1:1")
    limits = import_module(f"unblocked.show.compare.variants.{name}").LIMITS
    assert (limits.max_connections, limits.max_keepalive_connections) == (CONNECTIONS, KEPT)
