"""`unblocked race` and its variants."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from unblocked.show.compare import race as module
from unblocked.show.compare.race import Lap, race, run_laps, table
from unblocked.show.compare.variants import NAMES

if TYPE_CHECKING:
    from pathlib import Path

LAPS = [
    Lap("threads_requests", 50, 250, 12.3, 77.0, 500.0, 900.0, 0, limited=True),
    Lap("httpx_default", 50, 0, 1.0, 30.0, None, None, 2, limited=False),
]


def test_the_table_names_variants_and_errors() -> None:
    lines = table(LAPS).splitlines()
    assert lines[0].split()[-1] == "errors"
    assert lines[2].startswith(NAMES["threads_requests"])
    assert lines[2].split()[-1] == "0"
    assert "errors" not in table(LAPS[:1])


def test_race_prints_the_table_and_draws_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def measured(users: object) -> list[Lap]:
        return LAPS

    monkeypatch.setattr(module, "run_laps", measured)
    picture = tmp_path / "race.png"
    assert race(Namespace(users=[50], out=picture)) == 0
    printed = capsys.readouterr().out
    assert "threads added" in printed
    assert "load generator was the limit" in printed
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", NAMES)
def test_each_variant_makes_five_calls(name: str) -> None:
    (lap,) = asyncio.run(run_laps([1], [name], seconds=0.3))
    assert lap.errors == 0
    assert lap.per_second > 0
    assert lap.threads in ((5, 6) if name == "threads_requests" else (0, 1))


def test_every_variant_is_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTREAM", "http://127.0.0.1:1")
    for name in NAMES:
        assert import_module(f"unblocked.show.compare.variants.{name}").app
