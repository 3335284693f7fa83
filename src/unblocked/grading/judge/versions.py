"""The version of what an answer was marked by; the answer is marked again when that has changed."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING

from unblocked.course import CourseError

if TYPE_CHECKING:
    from pathlib import Path

    from unblocked.course import Room


def course_version(room: Room) -> str:
    """Return the package's version and a digest of all files that a room marks with.

    Raises:
        CourseError: its checks cannot be read.
    """
    try:
        texts = [_text(room.checks), *(text_of(room, name) for name in ("given.py", "inside.py"))]
        texts += [_text(path) for path in room.apps]
    except OSError as error:
        raise CourseError(f"{room.checks} cannot be loaded: {error}.") from error
    return f"{_package()}+{hashlib.sha256(chr(0).join(texts).encode()).hexdigest()[:12]}"


@functools.cache
def _package() -> str:
    from importlib.metadata import version

    return version("unblocked")


def text_of(room: Room, name: str) -> str:
    """Return the text of a file that a room may have, or ''."""
    path = room.folder / name
    return _text(path) if path.is_file() else ""


def _text(path: Path) -> str:
    return path.read_text("utf-8", errors="replace")
