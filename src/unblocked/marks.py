"""The learner's best marks, in a file of their own. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unblocked._files import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

Mark = dict[str, Any]
Marks = dict[str, Mark]
"""Slug of an exercise to `{"points", "max_points", "marked_at"}`."""


def folder() -> Path:
    """Return the folder for what the course remembers; the variable
    `UNBLOCKED_HOME` overrides it.
    """
    if chosen := os.environ.get("UNBLOCKED_HOME"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "unblocked"
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "unblocked"


def file() -> Path:
    """Return the path of the file that holds the marks; it exists from the first mark on."""
    return folder() / "marks.json"


def best() -> Marks:
    """Return the best mark of each exercise; entries that are no marks are left out."""
    try:
        found = json.loads(file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    marks = found.items() if isinstance(found, dict) else ()
    return {slug: mark for slug, mark in marks if _is_mark(mark)}


def remember(result: Mapping[str, Any]) -> None:
    """Keep a result if it is the best so far. Where nothing can be written, it is not kept.

    Args:
        result: what `unblocked check --json` prints.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    mark = {
        "points": result["points"],
        "max_points": result["max_points"],
        "marked_at": now,
    }
    # A mark that cannot be kept is no reason to fail: the learner has seen it.
    with contextlib.suppress(OSError):
        merge({result["exercise"]: mark})


def merge(found: Marks) -> None:
    """Keep each of these marks that is at least as good as the best one so far.

    Raises:
        OSError: the file cannot be written, and is as it was.
    """
    marks = best()
    better = {
        slug: mark
        for slug, mark in found.items()
        if _is_mark(mark) and (slug not in marks or mark["points"] >= marks[slug]["points"])
    }
    if better:
        replace(file(), json.dumps(marks | better, indent=1).encode())


def _is_mark(mark: object) -> bool:
    """Return whether this is a mark; a file may have been damaged, or written by hand."""
    points = [mark.get(key) for key in ("points", "max_points")] if isinstance(mark, dict) else []
    return bool(points) and all(type(value) in (int, float) for value in points)
