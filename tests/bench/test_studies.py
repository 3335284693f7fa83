"""The registry runs a study, and its page says what its JSON says."""

from __future__ import annotations

import asyncio
import json
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

import httpx
import pytest

from bench import STUDIES, __main__, agree, fanout, laps
from bench.laps import Course
from bench.pool import fit
from bench.report import RESULTS, Report, cell, table, write
from bench.variants import AUTHORITIES, LABELS
from bench.variants.lean import LeanTransport
from bench.variants.studied import APPS
from unblocked import Upstream

if TYPE_CHECKING:
    from pathlib import Path


def test_each_study_is_a_module() -> None:
    for name in STUDIES:
        assert find_spec(f"bench.{name}") is not None


def test_each_variant_has_a_name() -> None:
    assert list(LABELS) == list(APPS)


def test_a_study_runs_and_its_page_says_what_its_json_says(tmp_path: Path) -> None:
    assert __main__.main(["pool", "--tiny", "--results", str(tmp_path)]) == 0
    data = json.loads((tmp_path / "pool.json").read_text(encoding="utf-8"))
    page = (tmp_path / "pool.md").read_text(encoding="utf-8")
    assert table(data["rows"]) in page
    for heading, rows in data["tables"].items():
        assert f"## {heading}\n\n{table(rows)}" in page
    assert data["surroundings"]["versions"]["httpx"] in page
    assert (tmp_path / "pool.png").read_bytes().startswith(b"\x89PNG")
    stock = [row for row in data["rows"] if row["client"] == "httpx"]
    constant = [row for row in data["rows"] if row["client"] == "aiohttp"]
    assert stock[-1]["python_calls"] > stock[0]["python_calls"]
    assert constant[-1]["python_calls"] < 1.1 * constant[0]["python_calls"]


def test_an_unknown_study_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        __main__.main(["nothing"])
    assert "no study is called nothing" in capsys.readouterr().err


def test_a_fit_finds_the_law() -> None:
    a, b, c, miss = fit([(n, 100 + 3 * n + 2 * n * n) for n in (1, 10, 50, 100)])
    assert (round(a), round(b), round(c)) == (100, 3, 2)
    assert miss < 1e-6


def test_a_report_without_picture_writes_two_files(tmp_path: Path) -> None:
    report = Report(title="Two", rows=[{"what": "one", "number": 12345.6}])
    write("two", report, {"size": "tiny", "seconds": 1.0}, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"two.json", "two.md"}
    assert "| one | 12,346 |" in (tmp_path / "two.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("value", "text"), [(None, "none"), (0.12345, "0.123"), (12.34, "12.3"), (1234, "1,234")]
)
def test_numbers_have_no_more_digits_than_they_can_bear(value: float | None, text: str) -> None:
    assert cell(value) == text


def test_the_own_transport_keeps_httpx_exceptions_limits_and_bodies() -> None:
    asyncio.run(_exercise_the_transport())


async def _exercise_the_transport() -> None:
    limits = httpx.Limits(max_connections=3)
    transport = LeanTransport(limits=limits)
    with Upstream(delay=0.0, routes={}) as upstream:
        url = upstream.url
        async with httpx.AsyncClient(transport=transport, timeout=10) as client:
            answers = await asyncio.gather(*(client.get(f"{url}/?delay=0.05") for _ in range(9)))
            assert {answer.status_code for answer in answers} == {200}
            assert upstream.counts.peak == upstream.counts.opened == 3
            await _bodies(client, url)
            await _failures(client, url)
            assert (await client.get(url)).status_code == 200
        assert transport._places._taken == 0


async def _bodies(client: httpx.AsyncClient, url: str) -> None:
    async def pieces() -> object:
        for _ in range(3):
            yield b"abc"

    echoed = await client.post(f"{url}/?echo=1", content=pieces())  # type: ignore[arg-type]
    assert echoed.json()["body"] == "abcabcabc"
    assert (await client.head(url)).content == b""
    async with client.stream("GET", f"{url}/?size=2000000") as answer:
        size = sum([len(text) async for text in answer.aiter_text()])
    assert size == 2_000_000
    assert len((await client.get(f"{url}/?drip=0.001&size=50")).text) == 50


async def _failures(client: httpx.AsyncClient, url: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get(f"{url}/?cut=1")
    with pytest.raises(httpx.ReadTimeout):
        await client.get(f"{url}/?hang=1", timeout=0.05)
    with pytest.raises(httpx.ConnectError):
        await client.get("http://127.0.0.1:1")
    with pytest.raises(httpx.LocalProtocolError):
        await client.get(url, headers={"X-A": "1\r\nX-B: 2"})
    left = asyncio.create_task(client.get(f"{url}/?hang=1"))
    await asyncio.sleep(0)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    async with client.stream("GET", url), client.stream("GET", url), client.stream("GET", url):
        with pytest.raises(httpx.PoolTimeout):
            await client.get(url, timeout=httpx.Timeout(10, pool=0.01))


def test_what_calls_nobody_has_no_cost_of_a_call() -> None:
    (row,) = laps.rows(laps.run(Course(("no_call",), (2,), 0.02, 0.1, 1)))
    assert row["answers_per_second"] > 0
    assert row["first_round_only"] == "no"
    assert row["cpu_ms_per_call"] is row["new_connections_per_call"] is None


def test_a_first_round_that_took_long_is_not_called_warm() -> None:
    rows = laps.rows(laps.run(Course(("no_call",), (2, 4), 0.02, 0.1, 1, longest=0.0)))
    assert [(row["users"], row["first_round_only"]) for row in rows] == [(2, "yes")]
    (cold,) = fanout._cold(rows)
    assert cold["cold_answers_per_second"] == rows[0]["answers_per_second"]
    assert cold["warm_answers_per_second"] is cold["spread_of_warm"] is None
    assert [row["first round only, users"] for row in fanout._summary(rows)] == ["2", None]


def test_a_summary_names_each_load_that_had_one_round() -> None:
    results = json.loads((RESULTS / "fanout.json").read_text(encoding="utf-8"))
    detail = results["tables"]["Upstream of 200 ms"]
    for row in results["rows"][:-1]:
        mine = [one for one in detail if one["variant"] == row["variant"]]
        stopped = [cell(one["users"]) for one in mine if one["first_round_only"] == "yes"]
        assert row["first round only, users"] == (", ".join(stopped) or None)
        assert row["errors"] == sum(one["errors"] for one in mine)


def test_the_reference_rides_before_every_two_and_at_the_end() -> None:
    assert laps.beside("R", ("a", "b", "c")) == ["R", "a", "b", "R", "c", "R"]


def _lap(name: str, step: int, per_second: float) -> laps.Lap:
    return laps.Lap(
        name=name,
        users=5,
        delay=0.2,
        cold_per_second=1.0,
        per_second=per_second,
        p50_ms=1.0,
        p99_ms=1.0,
        errors=0,
        threads=0,
        memory_mb=0.0,
        sockets=0,
        cpu_ms=per_second / 10,
        connections=0.0,
        limited=False,
        step=step,
    )


def test_a_share_is_that_of_the_laps_just_before_and_after() -> None:
    ridden = [
        _lap("R", 1, 100.0),
        _lap("a", 2, 90.0),
        _lap("R", 3, 200.0),
        _lap("a", 4, 90.0),
        _lap("R", 5, 20.0),
    ]
    assert laps.ratios(ridden, "a", "R", 5) == [0.6, 0.818]
    assert laps.ratios(ridden, "R", "R", 5) == [0.5, 3.33, 0.1]
    assert laps.ratios(ridden, "a", "R", 6) == []


def test_over_tls_the_variants_trust_the_upstream() -> None:
    names = ("on_aiohttp2_gc", "aiohttp", "httpx_20_kept", "threads_requests")
    course = Course(names, (1,), 0.0, 0.1, 1, upstream=laps.secure)
    rows = laps.rows(laps.run(course))
    assert [row["errors"] for row in rows] == [0] * len(names)
    assert all(row["answers_per_second"] > 0 for row in rows)
    assert AUTHORITIES not in os.environ


def _kept(folder: Path, answers: dict[str, tuple[float, str]]) -> Path:
    rows = [
        {
            "variant": name,
            "users": 200,
            "delay_ms": 200,
            "answers_per_second": value,
            "spread": spread,
        }
        for name, (value, spread) in answers.items()
    ]
    about = {"size": "tiny", "seconds": 1.0}
    write("fanout", Report(title="Some", rows=rows), about, folder, short=True)
    return folder


def test_runs_agree_within_their_spread(tmp_path: Path) -> None:
    quiet = _kept(tmp_path / "quiet", {"aiohttp": (400, "390 to 410"), "threads": (80, "none")})
    slow = _kept(tmp_path / "slow", {"aiohttp": (190, "150 to 230"), "threads": (45, "40 to 50")})
    out = tmp_path / "page.md"
    assert __main__.main(["agree", str(quiet), str(slow), "--out", str(out)]) == 0
    assert "1 of 1 rankings and 1 of 1 sets of ratios agree" in out.read_text(encoding="utf-8")


def test_runs_that_do_not_agree_are_told_apart(tmp_path: Path) -> None:
    one = _kept(tmp_path / "one", {"aiohttp": (400, "390 to 410"), "threads": (80, "75 to 85")})
    two = _kept(tmp_path / "two", {"aiohttp": (80, "75 to 85"), "threads": (400, "390 to 410")})
    (row,) = agree.verdicts([one, two])
    assert row["ranking"] == "turned: aiohttp and threads"
    assert row["ratios"] == "apart: threads"
    assert __main__.main(["agree", str(one), str(two)]) == 1
    assert __main__.main(["agree", str(one), str(tmp_path)]) == 2
