"""Waiting for a condition, without counting on time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60.0


def until(condition: Callable[[], bool]) -> None:
    """Poll until `condition` holds; fails after a long time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        threading.Event().wait(0.005)
