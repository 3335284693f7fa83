"""The learner's best marks, kept in a file of their own."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unblocked._files import replace


def home() -> Path:
    """The folder for what the course remembers; `UNBLOCKED_HOME` overrides it."""
    if chosen := os.environ.get("UNBLOCKED_HOME"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "unblocked"
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "unblocked"


def best() -> dict[str, dict[str, Any]]:
    """Slug → `{"points", "max_points", "marked_at"}`; empty when nothing was marked yet."""
    try:
        marks = json.loads((home() / "marks.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return marks if isinstance(marks, dict) else {}


def remember(result: dict[str, Any]) -> None:
    """Keep a result if it is the best so far; where nothing can be written, it is not kept."""
    marks = best()
    slug = result["exercise"]
    if result["points"] < marks.get(slug, {}).get("points", 0):
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    marks[slug] = {
        "points": result["points"],
        "max_points": result["max_points"],
        "marked_at": now,
    }
    with contextlib.suppress(OSError):
        replace(home() / "marks.json", json.dumps(marks, indent=1).encode())
