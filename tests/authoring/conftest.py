"""A small course in a folder of its own: two lessons, one exercise, good by every gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from small_course import write_course

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The checkout of a small course, not built yet."""
    return write_course(tmp_path)


@pytest.fixture
def at_home(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small course is the one that the commands find."""
    monkeypatch.setattr("unblocked.course._PACKAGE", root / "src" / "unblocked")
    return root
