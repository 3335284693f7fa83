"""The files of a class, as they lie in folders and zips; with why, where one is no answer."""

from __future__ import annotations

import contextlib
import io
import re
import struct
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from unblocked.grading import answer
from unblocked.grading.judge.judging import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SUFFIXES = (".ipynb", ".py")
CANVAS = re.compile(
    r"(?:(?P<who>[^_]+)_(?P<late>LATE_)?(?P<id>\d{1,18})"
    r"|(?P<anonymously_late>LATE_)?anon_(?P<anonymous>[A-Za-z0-9]{1,18}))"
    r"_(?:(?P<attempt>\d{1,18})_(?P<file>.+)|text\.html)"
)
MOODLE = re.compile(
    r"(?P<who>.+?)(?:_(?P<id>\d{1,18}))?_assignsubmission_(?:file|onlinetext)(?:_(?P<file>.*))?"
)
"""How the platforms name what they hand out."""
TIMESTAMP, LONGEST_TIMESTAMP = "timestamp.txt", 64
_LITTER = ("._", "__MACOSX", ".DS_Store", ".git", ".ipynb_checkpoints", TIMESTAMP)
"""What systems, editors and nbgrader leave beside files: how the names of it begin."""
_INSTALLED = ("site-packages", "dist-packages", "node_modules")
"""Folders of others' code, thousands of files: a virtual environment that was packed, too."""

MOST_MEMBERS = 50_000
"""Files in one zip: a class hands in fewer, and a zip made to keep the marker busy holds more."""
MOST_PACKED = 32 << 20
"""Bytes of a zip within a class's zip, which is read whole."""
KEPT_OPEN = 8
"""Zips at a time: each takes a file descriptor, or the bytes of one within another."""
NOTHING = "nothing was handed in"


ONLINE_TEXT = re.compile(r"(?:.*_)?(?:onlinetext|text)\.html", re.I)
"""What was typed into the platform in place of a file."""


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
        return plain("/".join(self.parts))

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
        self._open: dict[tuple[Path, int | None], zipfile.ZipFile] = {}

    def opened(self, path: Path, inner: zipfile.ZipInfo | None = None) -> zipfile.ZipFile:
        """The zip, or the one within it, open at least until others have been asked for.

        Raises what `zipfile` does.
        """
        key = path, inner.header_offset if inner else None
        archive = self._open.pop(key, None) or self._new(path, inner)
        self._open[key] = archive
        if len(self._open) > KEPT_OPEN:
            self._open.pop(next(iter(self._open))).close()
        return archive

    def _new(self, path: Path, inner: zipfile.ZipInfo | None) -> zipfile.ZipFile:
        if inner is None:
            return zipfile.ZipFile(path)
        with self.opened(path).open(inner) as member:
            data = member.read(MOST_PACKED + 1)
        if len(data) > MOST_PACKED:
            raise zipfile.BadZipFile(f"it is larger than {MOST_PACKED >> 20} MiB")
        return zipfile.ZipFile(io.BytesIO(data))


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
        kept = [path for path in found if not _is_litter(path.name)]
        if not kept:
            yield here, f"an empty folder: {NOTHING}"
        below = []
        for path in kept:
            if path == leave_out:
                continue
            if path.is_dir() and not path.is_symlink() and not _why_not(path):
                below.append(path)
            else:
                yield path, _why_not(path)
        folders += reversed(below)


def _is_litter(name: str) -> bool:
    return name.startswith(_LITTER)


def _why_not(path: Path) -> str:
    if why := _why_not_by(path.name):
        return why
    if path.is_symlink():  # it could show another learner's answer as one's own
        return "a link, which is not followed: put the file itself there"
    if not (path.is_dir() or path.is_file()):
        return "neither a file nor a folder"
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


def _in_zip(
    zips: _Zips, path: Path, above: tuple[str, ...], inner: zipfile.ZipInfo | None = None
) -> Iterator[File]:
    """The files in a zip, or in the `inner` one within it. `above` are the folders it stands for.

    Of a class's zip every folder is named, whether it holds anything or not.
    """
    opened = partial(zips.opened, path, inner)
    shown = above if inner or above[-1:] == (path.name,) else (*above, path.name)
    if inner is None and (count := _claimed(path)) > MOST_MEMBERS:
        yield _unusable(shown, f"{count} members: no class hands in so many")
        return
    try:
        members = opened().infolist()
    except Exception as error:  # zipfile raises a dozen kinds, by what is wrong with the zip
        why = f"a zip that cannot be read ({error}): have it handed in again, or unpack it"
        yield _unusable(shown, why)
        return
    if len(members) > MOST_MEMBERS:
        yield _unusable(shown, f"{len(members)} members: no class hands in so many")
        return
    paths = [(parts, info) for info in members if (parts := _parts_of(info))]
    folders = {parts[:1] for parts, _ in paths if not above and not _is_litter(parts[0])}
    told = set()
    for file, info in _members(opened, above, paths):
        told.add(shown if above else file.parts[:1])
        if info and not above and file.parts[-1].lower().endswith(".zip"):
            yield from _in_zip(zips, path, file.parts, info)
        else:
            yield file
    for silent in sorted((folders or {shown}) - told):
        yield _unusable(silent, NOTHING)


def _members(
    opened: Callable[[], zipfile.ZipFile],
    above: tuple[str, ...],
    paths: list[tuple[tuple[str, ...], zipfile.ZipInfo]],
) -> Iterator[tuple[File, zipfile.ZipInfo | None]]:
    """The files of a zip, with their entries; without, where they are not even looked at."""
    refused: dict[tuple[str, ...], str] = {}
    stamps = {parts[:-1]: info for parts, info in paths if parts[-1] == TIMESTAMP}
    for parts, info in paths:
        if info.is_dir() or any(map(_is_litter, parts)):
            continue
        why = [_why_not_by(part) for part in parts]
        if any(why):
            first = next(n for n, reason in enumerate(why) if reason)
            refused[(*above, *parts[: first + 1])] = why[first]
        else:
            stamp = _stamp_reader(opened, stamps.get(parts[:-1]))
            yield File((*above, *parts), _zip_time(info), _reader(opened, info), stamp), info
    for parts, reason in sorted(refused.items()):
        yield _unusable(parts, reason), None


_END, _END_64 = b"PK\x05\x06", b"PK\x06\x06"
_LONGEST_END = (1 << 16) + 200
_BYTES_A_MEMBER = 256
"""Of a zip's directory, with a long name: a directory of so many times more holds more members."""


def _claimed(path: Path) -> int:
    """How many members a zip says it has, or its directory has the size for; 0 where it is none.

    Asked before it is opened: `zipfile` reads the whole directory, which may be gigabytes.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _LONGEST_END))
            tail = file.read()
    except OSError:
        return 0
    counts = []
    if (at := tail.rfind(_END)) >= 0 and len(tail) >= at + 22:
        count, size = struct.unpack_from("<HL", tail, at + 10)
        counts += [count, size // _BYTES_A_MEMBER if size != 0xFFFFFFFF else 0]
    if (at := tail.rfind(_END_64)) >= 0 and len(tail) >= at + 56:
        count, size = struct.unpack_from("<QQ", tail, at + 32)
        counts += [count, size // _BYTES_A_MEMBER]
    return max(counts, default=0)


_NAMED_IN_UTF8 = 0x800


def _parts_of(info: zipfile.ZipInfo) -> tuple[str, ...]:
    name = info.filename
    if not info.flag_bits & _NAMED_IN_UTF8:  # macOS writes UTF-8 all the same, and does not say so
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode()
    parts = name.replace("\\", "/").split("/")
    return tuple(part for part in parts if part not in ("", ".", ".."))


def _zip_time(info: zipfile.ZipInfo) -> datetime:
    try:
        return datetime(*info.date_time).astimezone()  # zips hold local time, and not whose
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


_ENCRYPTED = 0x1


def _reader(opened: Callable[[], zipfile.ZipFile], info: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            with opened().open(info) as member:
                return member.read(answer.LARGEST + 1)
        except Exception as error:  # damaged, say, or packed in a way unknown here
            locked = "it is encrypted, so unpack it with its password"
            why = locked if info.flag_bits & _ENCRYPTED else error
            raise Unreadable(f"the zip does not give it out: {why}") from None

    return read


def _stamp_reader(
    opened: Callable[[], zipfile.ZipFile], info: zipfile.ZipInfo | None
) -> Callable[[], bytes]:
    if info is None:
        return bytes
    read = _reader(opened, info)

    def timestamp() -> bytes:
        try:
            return read()[:LONGEST_TIMESTAMP]
        except Unreadable:
            return b""

    return timestamp
