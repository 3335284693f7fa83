"""Which tests stay together when two processes share the work: those that share what is costly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer


class Together(LoadScopeScheduling):
    """A module at a time; but lessons apart, as they share nothing, and a room with its tests."""

    def _split_scope(self, nodeid: str) -> str:
        module, _, test = nodeid.partition("::")
        if module.endswith("test_run.py"):
            return nodeid
        if module.endswith("test_rooms.py"):
            return test.partition("[")[2]
        return module


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)
