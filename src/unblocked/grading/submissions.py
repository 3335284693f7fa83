"""Find what a class handed in: whose it is, which exercise it answers, which attempt counts."""

from __future__ import annotations

import re
import unicodedata
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from unblocked.grading import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

SUFFIXES = (".ipynb", ".py")
_CANVAS = re.compile(
    r"(?P<who>[^_]+)_(?:LATE_)?(?P<id>\d{1,18})_(?P<attempt>\d{1,18})_(?P<file>.+)"
)
_MOODLE = re.compile(
    r"(?P<who>.+?)_(?P<id>\d{1,18})_assignsubmission_(?:file|onlinetext)(?:_(?P<file>.*))?"
)
_COPY = re.compile(r"( \(\d+\)|-Copy\d+)$")
"""What browsers and JupyterLab add to the name of a file that is there already."""
_LITTER = ("._", "__MACOSX", ".DS_Store", ".git", ".ipynb_checkpoints", "timestamp.txt")
"""What systems, editors and nbgrader leave beside files: how the names of it begin."""

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


def find(
    folder: Path,
    slugs: Iterable[str],
    *,
    named: Callable[[Submission], Submission] = lambda submission: submission,
    leave_out: Path | None = None,
) -> Found:
    """All submissions below a folder (or in a zip): the newest attempt of each learner counts.

    `named` gives a submission its learner's name in the tables. What lies in `leave_out` is none.
    """
    known, folder = tuple(slugs), folder.resolve()
    found, placed = Found([], []), []
    for file in _files(folder, leave_out):
        place = _place(file, known)
        if isinstance(place, str):
            found.unplaced.append((file.shown, place))
        else:
            placed.append(named(place))
    _keep_the_newest(_told_apart(placed), found)
    return found


def _told_apart(placed: list[Submission]) -> list[Submission]:
    """Two learners with one name carry the platform's number for them, too."""
    ids = defaultdict(set)
    for one in placed:
        ids[one.learner].add(one.learner_id)
    return [
        replace(one, learner=f"{one.learner}_{one.learner_id}")
        if one.learner_id and len(ids[one.learner] - {""}) > 1
        else one
        for one in placed
    ]


def _keep_the_newest(placed: list[Submission], found: Found) -> None:
    newest: dict[tuple[str, str], Submission] = {}
    for one in placed:
        key = (one.learner, one.exercise)
        older, newer = sorted([newest.get(key, one), one], key=lambda s: s.newness)
        newest[key] = newer
        if older is not newer:
            found.unplaced.append((older.file.shown, f"a newer attempt counts: {newer.file.shown}"))
    found.submissions = sorted(newest.values(), key=lambda s: (s.exercise, s.learner))


def _files(folder: Path, leave_out: Path | None) -> Iterator[File]:
    if folder.is_file():
        yield from _in_zip(folder, ())
        return
    of_class = _holds_one_file(folder, leave_out)
    for path, why in _entries(folder, leave_out):
        parts = path.relative_to(folder).parts
        if why:
            yield _unusable(parts, why)
        elif path.suffix.lower() == ".zip":
            yield from _in_zip(path, _standing_for(parts, of_class=of_class))
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
    if path.name.startswith("."):
        return "hidden: give it a name without the dot"
    if path.is_symlink():  # it could show another learner's answer as one's own
        return "a link, which is not followed: put the file itself there"
    return ""


def _holds_one_file(folder: Path, leave_out: Path | None) -> bool:
    """Whether there is nothing else: a zip then is the class's, as platforms hand it out."""
    found = [path for path, _ in islice(_entries(folder, leave_out), 2)]
    return len(found) == 1 and found[0].parent == folder


def _standing_for(parts: tuple[str, ...], *, of_class: bool) -> tuple[str, ...]:
    """The folders that a zip stands for: the class's for none, a learner's for the learner."""
    if len(parts) > 1:
        return parts
    named = _CANVAS.fullmatch(parts[0]) or _MOODLE.fullmatch(parts[0])
    return () if of_class and not named else parts


def _unusable(parts: tuple[str, ...], why: str) -> File:
    return File(parts, datetime.fromtimestamp(0, UTC), bytes, why)


def _file(path: Path, parts: tuple[str, ...]) -> File:
    def read() -> bytes:
        try:
            with path.open("rb") as file:
                return file.read(answer.LARGEST + 1)
        except OSError as error:
            raise Unreadable(f"it cannot be read: {error.strerror}") from None

    return File(parts, datetime.fromtimestamp(path.stat().st_mtime, UTC), read)


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
    hidden: set[tuple[str, ...]] = set()
    for info in members:
        parts = tuple(
            p for p in info.filename.replace("\\", "/").split("/") if p not in ("", ".", "..")
        )
        if not parts or any(map(_is_litter, parts)):
            continue
        if any(part.startswith(".") for part in parts):
            hidden.add((*above, *_until_hidden(parts)))
        else:
            yield File((*above, *parts), _zip_time(info), _reader(path, info))
    for parts in sorted(hidden):
        yield _unusable(parts, "hidden: give it a name without the dot")


def _until_hidden(parts: tuple[str, ...]) -> tuple[str, ...]:
    first = next(n for n, part in enumerate(parts) if part.startswith("."))
    return parts[: first + 1]


def _zip_time(info: zipfile.ZipInfo) -> datetime:
    try:
        return datetime(*info.date_time).astimezone()  # zips hold local time, and not whose
    except (ValueError, OverflowError, OSError):
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
    if not name.lower().endswith(SUFFIXES):
        return "neither a notebook nor Python"
    exercise = _exercise_of(file, slugs)
    if exercise is None:
        return f"no exercise of the course is named by it: {', '.join(slugs)}"
    return _learner_of(file, exercise)


def _learner_of(file: File, exercise: str) -> Submission | str:
    first = unicodedata.normalize("NFC", file.parts[0])  # further down, learners choose names
    if canvas := _CANVAS.fullmatch(first):  # the file, or a zip that a learner handed in
        return Submission(canvas["who"], exercise, file, canvas["id"], int(canvas["attempt"]))
    if moodle := _MOODLE.fullmatch(first):
        return Submission(moodle["who"], exercise, file, moodle["id"])
    if len(file.parts) > 1:
        return Submission(re.sub(r"\.zip$", "", first, flags=re.I), exercise, file)
    stem = _COPY.sub("", first.rpartition(".")[0])
    learner = re.sub(rf"[-_. ]*{re.escape(exercise)}[-_. ]*", "", stem, count=1)
    return Submission(learner, exercise, file) if learner else "no learner is named"


def _exercise_of(file: File, slugs: tuple[str, ...]) -> str | None:
    """By a folder or file name, else by the cells' own ids and marker lines."""
    for part in reversed(file.parts):
        stem = _COPY.sub("", re.sub(r"(-\d+)?\.(ipynb|py|zip)$", "", part, flags=re.I))
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
        if file.parts[-1].lower().endswith(".py"):
            return {answer.marked(text)}
        cells = answer.code_cells(text, file.parts[-1])
    except (UnicodeDecodeError, answer.Unusable, Unreadable):
        return set()
    named = ((answer.grade_id(cell), answer.marked(answer.source_of(cell))) for cell in cells)
    return {name for pair in named for name in pair}
