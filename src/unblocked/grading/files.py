"""The files of a class, as they lie in folders and zips; with why, where one is no answer."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from unblocked.grading import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SUFFIXES = (".ipynb", ".py")
CANVAS = re.compile(r"(?P<who>[^_]+)_(?:LATE_)?(?P<id>\d{1,18})_(?P<attempt>\d{1,18})_(?P<file>.+)")
MOODLE = re.compile(
    r"(?P<who>.+?)_(?P<id>\d{1,18})_assignsubmission_(?:file|onlinetext)(?:_(?P<file>.*))?"
)
"""How the platforms name what they hand out."""
TIMESTAMP, LONGEST_TIMESTAMP = "timestamp.txt", 64
_LITTER = ("._", "__MACOSX", ".DS_Store", ".git", ".ipynb_checkpoints", TIMESTAMP)
"""What systems, editors and nbgrader leave beside files: how the names of it begin."""
_INSTALLED = ("site-packages", "dist-packages", "node_modules")
"""Folders of others' code, thousands of files: a virtual environment that was packed, too."""

MOST_MEMBERS = 50_000
"""Files in one zip: a class hands in fewer, and a zip made to keep the marker busy holds more."""
KEPT_OPEN = 8
"""Zips at a time: each takes a file descriptor."""


class Unreadable(Exception):
    """A file that cannot be read, and why."""


@dataclass(frozen=True)
class File:
    """One file as it was found, in a folder or in a zip."""

    parts: tuple[str, ...]
    """Folders and name below where the search began."""
    modified: datetime
    read: Callable[[], bytes] = field(compare=False)
    """The content, cut off one byte after the most that is marked; raises `Unreadable`."""
    timestamp: Callable[[], bytes] = field(default=bytes, compare=False)
    """How the content of nbgrader's `timestamp.txt` beside it begins, if there is one."""
    unusable: str = ""
    """Why it is not even looked at, if it is not."""

    @property
    def shown(self) -> str:
        return "/".join(self.parts)

    @property
    def submitted(self) -> str:
        """The time of submission as nbgrader's exporter writes it: in UTC, not saying so; or ''."""
        text = self.timestamp().decode(errors="replace").strip()
        try:
            when = datetime.fromisoformat(re.sub(r" (UTC|GMT)$", "Z", text))
            return str(when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when)
        except (ValueError, OverflowError):
            return text


class _Zips:
    """Zips, a few of them open: who opens one reads its whole directory first."""

    def __init__(self) -> None:
        self._open: dict[Path, zipfile.ZipFile] = {}

    def opened(self, path: Path) -> zipfile.ZipFile:
        """The zip, open at least until others have been asked for; raises what `zipfile` does."""
        archive = self._open.pop(path, None) or zipfile.ZipFile(path)
        self._open[path] = archive
        if len(self._open) > KEPT_OPEN:
            self._open.pop(next(iter(self._open))).close()
        return archive


def files_in(folder: Path, leave_out: Path | None) -> Iterator[File]:
    zips = _Zips()
    if folder.is_file():
        yield from _in_zip(zips, folder, ())
        return
    of_class = _holds_one_file(folder, leave_out)
    for path, why in _entries(folder, leave_out):
        parts = path.relative_to(folder).parts
        if why:
            yield _unusable(parts, why)
        elif path.suffix.lower() == ".zip":
            yield from _in_zip(zips, path, _standing_for(parts, of_class=of_class))
        else:
            yield _file(path, parts)


def _entries(folder: Path, leave_out: Path | None) -> Iterator[tuple[Path, str]]:
    """All files, and what is none; with why it is not looked at, if it is not."""
    folders = [folder]
    while folders:  # os.walk calls itself, before Python 3.12
        here = folders.pop()
        try:
            found = sorted(here.iterdir())
        except OSError as error:
            yield here, f"it cannot be read: {error.strerror}"
            continue
        if not found:
            yield here, "an empty folder: nothing was handed in"
        below = []
        for path in found:
            if _is_litter(path.name) or path == leave_out:
                continue
            if why := _why_not(path):
                yield path, why
            elif path.is_dir():
                below.append(path)
            elif path.is_file():
                yield path, ""
        folders += reversed(below)


def _is_litter(name: str) -> bool:
    return name.startswith(_LITTER)


def _why_not(path: Path) -> str:
    if why := _why_not_by(path.name):
        return why
    if path.is_symlink():  # it could show another learner's answer as one's own
        return "a link, which is not followed: put the file itself there"
    return ""


def _why_not_by(name: str) -> str:
    if name.startswith("."):
        return "hidden: give it a name without the dot"
    if name.lower() in _INSTALLED:
        return "installed software, and nobody's answer"
    return ""


def _holds_one_file(folder: Path, leave_out: Path | None) -> bool:
    """Whether there is nothing else: a zip then is the class's, as platforms hand it out."""
    found = [path for path, _ in islice(_entries(folder, leave_out), 2)]
    return len(found) == 1 and found[0].parent == folder


def _standing_for(parts: tuple[str, ...], *, of_class: bool) -> tuple[str, ...]:
    """The folders that a zip stands for: the class's for none, a learner's for the learner."""
    if len(parts) > 1:
        return parts
    named = CANVAS.fullmatch(parts[0]) or MOODLE.fullmatch(parts[0])
    return () if of_class and not named else parts


def _unusable(parts: tuple[str, ...], why: str) -> File:
    return File(parts, datetime.fromtimestamp(0, UTC), bytes, unusable=why)


def _file(path: Path, parts: tuple[str, ...]) -> File:
    def read() -> bytes:
        try:
            with path.open("rb") as file:
                return file.read(answer.LARGEST + 1)
        except OSError as error:
            raise Unreadable(f"it cannot be read: {error.strerror}") from None

    def timestamp() -> bytes:
        beside = path.with_name(TIMESTAMP)
        try:
            if beside.is_symlink() or not beside.is_file():
                return b""
            with beside.open("rb") as file:
                return file.read(LONGEST_TIMESTAMP)
        except OSError:
            return b""

    return File(parts, datetime.fromtimestamp(path.stat().st_mtime, UTC), read, timestamp)


def _in_zip(zips: _Zips, path: Path, above: tuple[str, ...]) -> Iterator[File]:
    """The files in a zip. `above` are the folders that it stands for."""
    shown = above if above[-1:] == (path.name,) else (*above, path.name)
    try:
        members = [info for info in zips.opened(path).infolist() if not info.is_dir()]
    except Exception as error:  # zipfile raises a dozen kinds, by what is wrong with the zip
        yield _unusable(shown, f"a zip that cannot be read: {error}")
        return
    if len(members) > MOST_MEMBERS:
        yield _unusable(shown, f"{len(members)} members: no class hands in so many")
        return
    refused: dict[tuple[str, ...], str] = {}
    paths = [(_parts_of(info), info) for info in members]
    stamps = {parts[:-1]: info for parts, info in paths if parts[-1:] == (TIMESTAMP,)}
    for parts, info in paths:
        if not parts or any(map(_is_litter, parts)):
            continue
        why = [_why_not_by(part) for part in parts]
        if any(why):
            first = next(n for n, reason in enumerate(why) if reason)
            refused[(*above, *parts[: first + 1])] = why[first]
        else:
            stamp = _stamp_reader(zips, path, stamps.get(parts[:-1]))
            yield File((*above, *parts), _zip_time(info), _reader(zips, path, info), stamp)
    for parts, reason in sorted(refused.items()):
        yield _unusable(parts, reason)


def _parts_of(info: zipfile.ZipInfo) -> tuple[str, ...]:
    parts = info.filename.replace("\\", "/").split("/")
    return tuple(part for part in parts if part not in ("", ".", ".."))


def _zip_time(info: zipfile.ZipInfo) -> datetime:
    try:
        return datetime(*info.date_time).astimezone()  # zips hold local time, and not whose
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _reader(zips: _Zips, path: Path, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            with zips.opened(path).open(info) as member:
                return member.read(answer.LARGEST + 1)
        except Exception as error:  # encrypted, damaged, packed in a way unknown here
            raise Unreadable(f"the zip does not give it out: {error}") from None

    return read


def _stamp_reader(zips: _Zips, path: Path, info: zipfile.ZipInfo | None) -> Callable[[], bytes]:
    if info is None:
        return bytes
    read = _reader(zips, path, info)

    def timestamp() -> bytes:
        try:
            return read()[:LONGEST_TIMESTAMP]
        except Unreadable:
            return b""

    return timestamp
