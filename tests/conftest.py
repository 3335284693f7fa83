"""Which tests stay together when several processes share the work, and which begin first."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING

import psutil
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest
    from xdist.remote import Producer

WORKERS_PER_CORE = 2
"""Pages of the course, machines and browsers mostly wait: for their upstreams and for packages."""
MOST_WORKERS = 8

# The longest first, so that none of them is left when all others have ended. Those that wait and
# those that compute take turns, so that the cores are neither idle nor fought for.
WAITING = ("tests/slow/", "tests/course/pages::", "tests/course/test_try_it.py")
COMPUTING = (
    *("tests/grading/test_rooms.py", "tests/browser/", "tests/grading/test_classroom.py"),
    *("tests/setup/test_portable.py", "tests/setup/test_style.py", "tests/show/test_race.py"),
    *("tests/grading/test_hostile.py", "tests/grading/test_cheats.py", "tests/grading/"),
    *("tests/bench/", "tests/show/", "tests/authoring/", "tests/rig/"),
)


def scope_of(nodeid: str) -> str:
    """What the test shares its costly things with: its module; its page, or its exercise."""
    module, _, test = nodeid.partition("::")
    if module.endswith(("setup/test_portable.py", "setup/test_style.py")):
        return nodeid
    folder, _, file = module.rpartition("/")
    if file in ("test_run.py", "test_tasks.py"):
        return f"{folder}/pages::{test.partition('[')[2]}"
    if file == "test_rooms.py":
        return f"{module}::{test.partition('[')[2]}"
    return module


class Together(LoadScopeScheduling):
    """A scope at a time, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)


def pytest_xdist_auto_num_workers() -> int:
    return min(WORKERS_PER_CORE * (psutil.cpu_count() or 1), MOST_WORKERS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    scopes: dict[str, list[pytest.Item]] = {}
    for item in items:
        scopes.setdefault(scope_of(item.nodeid), []).append(item)
    waiting = in_order((scope for scope in scopes if scope.startswith(WAITING)), WAITING)
    others = in_order((scope for scope in scopes if not scope.startswith(WAITING)), COMPUTING)
    turns = chain.from_iterable(zip_longest(waiting, others))
    items[:] = [item for scope in turns if scope for item in scopes[scope]]


def in_order(scopes: Iterable[str], beginnings: tuple[str, ...]) -> list[str]:
    """These scopes by the first of the beginnings that is theirs; the others last, as they come."""
    last = len(beginnings)
    ranks = dict(zip(beginnings, range(last), strict=True))
    return sorted(
        scopes, key=lambda scope: next((r for b, r in ranks.items() if scope.startswith(b)), last)
    )
