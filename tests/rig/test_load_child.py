"""The loop of a user: who waits between two turns, and who does not."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from unblocked.rig import _load_child

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ORDER = {"method": "GET", "url": "http://x", "headers": {}, "body": None, "users": 1, "requests": 5}


class Session:
    """Answers at once with `status`, or refuses when it is None; neither waits."""

    def __init__(self, status: int | None) -> None:
        self._status = status

    @asynccontextmanager
    async def request(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        if self._status is None:
            raise ConnectionRefusedError
        yield SimpleNamespace(content=self, status=self._status)

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield b"ok"


def rests(monkeypatch: pytest.MonkeyPatch, status: int | None) -> list[float]:
    """The pauses of one user that asks five times, while no time passes."""
    paused: list[float] = []

    async def pause(seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr(_load_child.time, "perf_counter", lambda: 0.0)
    monkeypatch.setattr(_load_child.asyncio, "sleep", pause)
    session: Any = Session(status)
    asyncio.run(_load_child.Generator(session, ORDER, _load_child.Tally()).closed_loop())
    return paused


@pytest.mark.parametrize("status", [200, 503])
def test_who_was_answered_asks_again_at_once(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    assert rests(monkeypatch, status) == []


def test_who_was_refused_rests_lest_others_never_get_a_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert len(rests(monkeypatch, None)) == 5
