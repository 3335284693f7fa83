"""Which tests belong together when two processes share the work."""

from __future__ import annotations

from pathlib import Path

import pytest

APART = ("test_run.py",)
"""Modules whose tests share nothing and take long."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    """The module, with the room when each room is judged once for several tests."""
    module = str(item.path.relative_to(Path(__file__).parent))
    if item.path.name in APART:
        return item.nodeid
    if item.path.name == "test_rooms.py":
        return f"{module} {item.name.partition('[')[2]}"
    return module
