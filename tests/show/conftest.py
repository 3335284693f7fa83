"""Every test here must leave no thread and no process behind."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psutil
import pytest
from show_waiting import until

from unblocked.rig import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    if "upstream" in request.fixturenames:
        request.getfixturevalue("one_upstream")
    process = psutil.Process()
    threads = set(threading.enumerate())
    children = {child.pid for child in process.children()}
    yield
    until(lambda: set(threading.enumerate()) <= threads)
    until(lambda: {child.pid for child in process.children()} <= children)


@pytest.fixture(scope="module")
def one_upstream() -> Iterator[Upstream]:
    with Upstream(delay=0.01) as upstream:
        yield upstream


@pytest.fixture
def upstream(one_upstream: Upstream) -> Upstream:
    """A quick upstream, its counts at zero."""
    one_upstream.delay = 0.01
    one_upstream.reset()
    return one_upstream
