"""Every test here must leave the process as it found it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psutil
import pytest
from rig_waiting import until

from unblocked.rig import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    process = psutil.Process()
    request.getfixturevalue("quick_upstream")
    threads = set(threading.enumerate())
    children = {child.pid for child in process.children()}
    yield
    until(lambda: set(threading.enumerate()) <= threads)
    assert {child.pid for child in process.children()} <= children


@pytest.fixture(scope="session")
def quick_upstream() -> Iterator[Upstream]:
    with Upstream(delay=0) as upstream:
        yield upstream


@pytest.fixture
def upstream(quick_upstream: Upstream) -> Upstream:
    """A quick upstream without routes, its counts at zero."""
    quick_upstream.gather_at(0)
    quick_upstream.reset()
    return quick_upstream
