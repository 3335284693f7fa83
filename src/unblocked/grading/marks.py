"""The learner's best marks, kept in a file of their own."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


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
    _write(json.dumps(marks, indent=1))


def _write(text: str) -> None:
    file = home() / "marks.json"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    except OSError:
        return
