"""The file of results: one line per answer, on disk before the next is marked."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from unblocked.grading.sandbox.child.levels import at_least

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path
    from typing import BinaryIO


class Busy(Exception):
    """Another run marks into this folder."""


class Key(NamedTuple):
    """What makes an answer the same answer, marked by the same checks."""

    learner: str
    exercise: str
    sha256: str
    course_version: str


_NEEDED = {"points", "max_points", "outcome", "checks", "isolation", "file", "marked_at"}
"""Of a result, beside its key, for the tables and pages."""


class ResultsFile:
    """`results.jsonl` in a folder of marks, locked for one run at a time. Use with `with`.

    Of the results that it finds it takes those that were made with the isolation that
    is required now, and none when all is marked `again`.

    Raises:
        Busy: on entering, when another run has it.
    """

    def __init__(self, folder: Path, require: str | None = None, *, again: bool = False) -> None:
        self.path = folder / "results.jsonl"
        self.lock_path = folder / ".lock"
        self.levels, self.again = at_least(require), again
        self.results: dict[Key, dict[str, Any]] = {}
        self._of_file: dict[tuple[str, ...], dict[str, Any]] = {}

    def __enter__(self) -> ResultsFile:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self.lock_path.open("ab")
        try:
            _lock(self._lock)
        except OSError:
            self._lock.close()
            raise Busy(f"Another run is marking into {self.path.parent}.") from None
        self._file: BinaryIO | None = None
        if not self.again:
            self._read()
            self._opened()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            with contextlib.suppress(OSError):  # of a full disk, once more
                self._file.close()
        self._lock.close()

    def _opened(self) -> BinaryIO:
        """The file to append to. What is marked `again` replaces the old file only now."""
        if self._file is None:
            if self.again and self.path.exists():
                stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
                self.path.rename(self.path.with_name(f"results-before-{stamp}.jsonl"))
            self._file = self.path.open("ab")
        return self._file

    def _read(self) -> None:
        """Take in what is there; a last line that was torn by a crash is cut off."""
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.truncate(self.path, len(whole))
        for line in whole.splitlines():
            try:
                result = json.loads(line)
                if result.keys() >= _NEEDED and result["isolation"] in self.levels:
                    self._take(result)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue

    def add(self, result: dict[str, Any]) -> None:
        """Append a result and wait until the disk has it; raises OSError, which names the file."""
        file = self._opened()
        try:
            file.write(json.dumps(result).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from None
        self._take(result)

    def has(self, key: Key, file: str) -> bool:
        """Whether an answer is marked; one that only its learner's name tells from it, is now.

        The roster may name a learner otherwise than the file does: then a line is added.
        """
        if key not in self.results and (same := self._of_file.get((file, *key[1:]))):
            self.add(same | {"learner": key.learner})
        return key in self.results

    def forget(self, learners: Collection[str]) -> None:
        """Let what these learners handed in be marked afresh; the file keeps the old lines."""
        gone = {key for key in self.results if key.learner in learners}
        for key in gone:
            old = self.results.pop(key)
            self._of_file.pop((old["file"], *key[1:]), None)

    def _take(self, result: dict[str, Any]) -> None:
        key = key_of(result)
        self.results[key] = self._of_file[result["file"], *key[1:]] = result


def key_of(result: dict[str, Any]) -> Key:
    """The key under which a result is kept."""
    return Key(*(result[name] for name in Key._fields))


def _lock(file: BinaryIO) -> None:
    """Take the file for this process; raises OSError when another has it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
