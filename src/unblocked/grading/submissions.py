"""Find what a class handed in: whose it is, which exercise it answers, which attempt counts."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from unblocked.grading import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

SUFFIXES = (".ipynb", ".py")
_CANVAS = re.compile(r"(?P<who>[^_]+)_(?:LATE_)?(?P<id>\d+)_(?P<attempt>\d+)_(?P<file>.+)")
_MOODLE = re.compile(r"(?P<who>.+)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?")


@dataclass(frozen=True)
class File:
    """One file as it was found, in a folder or in a zip."""

    parts: tuple[str, ...]
    """Folders and name below where the search began."""
    modified: datetime
    read: Callable[[], bytes] = field(compare=False)

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
        if any(part.startswith((".", "__MACOSX")) for part in parts) or not path.is_file():
            continue
        if path.suffix == ".zip":
            yield from _in_zip(path, parts[:-1])
        else:
            modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            yield File(parts, modified, path.read_bytes)


def _in_zip(path: Path, above: tuple[str, ...]) -> Iterator[File]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError):
        when = datetime.fromtimestamp(0, UTC)
        yield File((*above, path.name), when, path.read_bytes)
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
        with zipfile.ZipFile(path) as archive, archive.open(info) as member:
            return member.read(answer.LARGEST + 1)

    return read


def _place(file: File, slugs: tuple[str, ...]) -> Submission | str:
    """The submission that this file is, or why it is none."""
    name = file.parts[-1]
    if not name.endswith(SUFFIXES):
        return "neither a notebook nor Python"
    exercise = _exercise_of(file, slugs)
    if exercise is None:
        return f"no exercise of the course is named by it: {', '.join(slugs)}"
    return _learner_of(file, exercise)


def _learner_of(file: File, exercise: str) -> Submission | str:
    name = file.parts[-1]
    for part in file.parts[:-1]:
        if moodle := _MOODLE.fullmatch(part):
            return Submission(moodle["who"], exercise, file, moodle["id"])
    if len(file.parts) > 1:
        return Submission(file.parts[0], exercise, file)
    if canvas := _CANVAS.fullmatch(name):
        return Submission(canvas["who"], exercise, file, canvas["id"], int(canvas["attempt"]))
    stem = name.rpartition(".")[0]
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
    except (UnicodeDecodeError, answer.Unusable, OSError):
        return set()
    named = ((answer.grade_id(cell), answer.marked(answer.source_of(cell))) for cell in cells)
    return {name for pair in named for name in pair}
