"""Find what a class handed in: whose it is, which exercise it answers, which attempt counts."""

from __future__ import annotations

import re
import unicodedata
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from unblocked.grading import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

SUFFIXES = (".ipynb", ".py")
_CANVAS = re.compile(
    r"(?P<who>[^_]+)_(?:LATE_)?(?P<id>\d{1,18})_(?P<attempt>\d{1,18})_(?P<file>.+)"
)
_MOODLE = re.compile(r"(?P<who>.+)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?")

MOST_MEMBERS = 50_000
"""Files in one zip: a class hands in fewer, and a zip made to keep the marker busy holds more."""


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
    unusable: str = ""
    """Why it is not even looked at, if it is not."""

    @property
    def shown(self) -> str:
        return "/".join(self.parts)


@dataclass(frozen=True)
class Submission:
    """One learner's attempt at one exercise."""

    learner: str
    exercise: str
    file: File
    learner_id: str = ""
    """The learning platform's own number for the learner, where the name of the file tells it."""
    attempt: int = 0

    @property
    def newness(self) -> tuple[int, datetime]:
        return self.attempt, self.file.modified


@dataclass
class Found:
    """What counts, and what does not, with the reason."""

    submissions: list[Submission]
    unplaced: list[tuple[str, str]]
    """(file, why it is not marked)."""


def find(folder: Path, slugs: Iterable[str]) -> Found:
    """All submissions below a folder (or in a zip): the newest attempt of each learner counts."""
    known = tuple(slugs)
    found = Found([], [])
    newest: dict[tuple[str, str], Submission] = {}
    for file in _files(folder):
        placed = _place(file, known)
        if isinstance(placed, str):
            found.unplaced.append((file.shown, placed))
            continue
        key = (placed.learner, placed.exercise)
        older, newer = sorted([newest.get(key, placed), placed], key=lambda s: s.newness)
        newest[key] = newer
        if older is not newer:
            found.unplaced.append((older.file.shown, f"a newer attempt counts: {newer.file.shown}"))
    found.submissions = sorted(newest.values(), key=lambda s: (s.exercise, s.learner))
    return found


def _files(folder: Path) -> Iterator[File]:
    if folder.is_file():
        yield from _in_zip(folder, ())
        return
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(part.startswith((".", "__MACOSX")) for part in parts):
            continue
        if path.is_symlink():  # it could show another learner's answer as one's own
            yield _unusable(parts, "a link, which is not followed: put the file itself there")
        elif path.is_file():
            yield from _of_file(path, parts)


def _unusable(parts: tuple[str, ...], why: str) -> File:
    return File(parts, datetime.fromtimestamp(0, UTC), bytes, why)


def _of_file(path: Path, parts: tuple[str, ...]) -> Iterator[File]:
    if path.suffix == ".zip":
        yield from _in_zip(path, parts if _CANVAS.fullmatch(path.name) else parts[:-1])
        return

    def read() -> bytes:
        try:
            with path.open("rb") as file:
                return file.read(answer.LARGEST + 1)
        except OSError as error:
            raise Unreadable(f"it cannot be read: {error.strerror}") from None

    yield File(parts, datetime.fromtimestamp(path.stat().st_mtime, UTC), read)


def _in_zip(path: Path, above: tuple[str, ...]) -> Iterator[File]:
    """The files in a zip. `above` are the folders that it stands for."""
    shown = above if above[-1:] == (path.name,) else (*above, path.name)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except Exception as error:  # zipfile raises a dozen kinds, by what is wrong with the zip
        yield _unusable(shown, f"a zip that cannot be read: {error}")
        return
    if len(members) > MOST_MEMBERS:
        yield _unusable(shown, f"{len(members)} members: no class hands in so many")
        return
    for info in members:
        parts = tuple(
            p for p in info.filename.replace("\\", "/").split("/") if p not in ("", ".", "..")
        )
        if parts and not any(part.startswith((".", "__MACOSX")) for part in parts):
            yield File((*above, *parts), _zip_time(info), _reader(path, info))


def _zip_time(info: zipfile.ZipInfo) -> datetime:
    try:
        return datetime(*info.date_time, tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _reader(path: Path, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            with zipfile.ZipFile(path) as archive, archive.open(info) as member:
                return member.read(answer.LARGEST + 1)
        except Exception as error:  # encrypted, damaged, packed in a way unknown here
            raise Unreadable(f"the zip does not give it out: {error}") from None

    return read


def _place(file: File, slugs: tuple[str, ...]) -> Submission | str:
    """The submission that this file is, or why it is none."""
    name = file.parts[-1]
    if file.unusable:
        return file.unusable
    if not name.endswith(SUFFIXES):
        return "neither a notebook nor Python"
    exercise = _exercise_of(file, slugs)
    if exercise is None:
        return f"no exercise of the course is named by it: {', '.join(slugs)}"
    return _learner_of(file, exercise)


def _learner_of(file: File, exercise: str) -> Submission | str:
    first = unicodedata.normalize("NFC", file.parts[0])  # further down, learners choose names
    if canvas := _CANVAS.fullmatch(first):  # the file, or a zip that a learner handed in
        return Submission(canvas["who"], exercise, file, canvas["id"], int(canvas["attempt"]))
    if len(file.parts) > 1:
        if moodle := _MOODLE.fullmatch(first):
            return Submission(moodle["who"], exercise, file, moodle["id"])
        return Submission(first, exercise, file)
    stem = first.rpartition(".")[0]
    learner = re.sub(rf"[-_. ]*{re.escape(exercise)}[-_. ]*", "", stem, count=1) or stem
    return Submission(learner, exercise, file) if learner != exercise else "no learner is named"


def _exercise_of(file: File, slugs: tuple[str, ...]) -> str | None:
    """By a folder or file name, else by the cells' own ids and marker lines."""
    for part in reversed(file.parts):
        stem = re.sub(r"(-\d+)?\.(ipynb|py)$", "", part)
        named = [slug for slug in slugs if re.search(rf"(?<![\w-]){slug}(?![\w-])|_{slug}$", stem)]
        if part == file.parts[-1] and not named:
            named = [s for s in slugs if stem.endswith((f"-{s}", f"_{s}")) or stem.startswith(s)]
        if named:
            return max(named, key=len)
    inside = _named_inside(file) & set(slugs)
    return inside.pop() if len(inside) == 1 else None


def _named_inside(file: File) -> set[str]:
    try:
        text = file.read().decode("utf-8-sig")
        if file.parts[-1].endswith(".py"):
            return {answer.marked(text)}
        cells = answer.code_cells(text, file.parts[-1])
    except (UnicodeDecodeError, answer.Unusable, Unreadable):
        return set()
    named = ((answer.grade_id(cell), answer.marked(answer.source_of(cell))) for cell in cells)
    return {name for pair in named for name in pair}
