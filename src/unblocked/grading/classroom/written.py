"""What was written into a folder of marks: what is ours may be replaced, another's may not."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from itertools import dropwhile
from typing import TYPE_CHECKING

from unblocked._files import put, replace
from unblocked.grading.classroom import canvas, pages

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path


class Made:
    """What was written into a folder of marks under names that a person may use, too.

    Kept in `.written.json` there: a file whose content is another's is not overwritten or removed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / ".written.json"
        try:
            found = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            found = {}
        self.digests: dict[str, str] = found if isinstance(found, dict) else {}

    def is_ours(self, path: Path) -> bool:
        if path.is_symlink() or not path.is_file():
            return False
        return self.digests.get(path.name) == _digest(path)

    def make_room(self, paths: Iterable[Path]) -> list[Path]:
        """Put what is not ours under a dated name; return where it lies now."""
        kept = (put(path, b"") for path in paths if path.exists() and not self.is_ours(path))
        return [path for path in kept if path]

    def remember(self, paths: Iterable[Path]) -> None:
        self.digests |= {path.name: _digest(path) for path in paths}
        replace(self.path, json.dumps(self.digests, indent=1).encode())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def remove_stale(folder: Path, written: Collection[Path], slugs: Collection[str]) -> None:
    """Remove what an earlier run wrote into a folder of marks, and this one did not.

    What was not recognisably made here is left alone, whatever its name is.
    """
    made = Made(folder)
    names = ("", *(f"-{slug}" for slug in slugs))
    worksheets = {folder / f"moodle{of}.csv" for of in names}
    worksheets |= {folder / f"feedback-moodle{of}.zip" for of in names}
    gradebook = folder / "canvas.csv"
    pages = set((folder / "feedback").glob("*/*.html"))
    left = (worksheets | pages | {gradebook}).difference(written)
    stale = [path for path in left & worksheets if made.is_ours(path)]
    stale += [path for path in left & {gradebook} if _is_gradebook(path, slugs)]
    stale += [path for path in left & pages if _is_page(path)]
    now = {_identity(path) for path in written} if stale else set()
    for path in stale:
        if _identity(path) in now:  # one file: names that differ may be one name on its disk
            continue
        path.unlink()
        if path in pages and not any(path.parent.iterdir()):
            path.parent.rmdir()


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _is_gradebook(path: Path, slugs: Collection[str]) -> bool:
    columns = _heading(path)
    marks = list(dropwhile(lambda column: column.lower() in canvas.COLUMNS, columns))
    return 0 < len(marks) < len(columns) and set(marks) <= set(slugs)


def _heading(path: Path) -> list[str]:
    return next(csv.reader([_beginning(path).partition("\n")[0]]), [])


def _is_page(path: Path) -> bool:
    title = rf"{re.escape(path.stem)}: [\d.]+ of \d+ points"
    head = pages.page(title, "").partition("</title>")[0]
    return not path.parent.is_symlink() and bool(re.match(head, _beginning(path)))


def _beginning(path: Path) -> str:
    """How a file begins; '' of what is none, and of a link, whose file is another's."""
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(4096)
