"""Writes files that people care for: in one step, and never over what was there."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def replace(path: Path, content: bytes) -> None:
    """Write a file in one step, so that a reader never sees half of it.

    Raises:
        OSError: it cannot be written, and is as it was; the error names it.
    """
    with _written(path, content) as half:
        half.replace(path)


def put(path: Path, content: bytes) -> Path | None:
    """Write a file in one step; what was there is kept under a dated name, which is returned."""
    with _written(path, content) as half:
        kept = _aside(path) if path.is_file() else None
        half.replace(path)
    return kept


@contextmanager
def _written(path: Path, content: bytes) -> Iterator[Path]:
    """Write the content to a file beside `path` for the block, and remove it if
    it was not moved.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            half.write_bytes(content)
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), str(path)) from None
        yield half
    finally:
        # After a move there is nothing left to remove.
        half.unlink(missing_ok=True)


def _aside(path: Path) -> Path:
    kept = path.with_name(f"{path.stem}.{datetime.now():%Y-%m-%d-%H%M%S-%f}{path.suffix}")
    path.rename(kept)
    return kept
