"""Find what a class handed in: whose it is, which exercise it answers, which attempt counts."""

from __future__ import annotations

import re
import unicodedata
import zipfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain, count, islice
from typing import TYPE_CHECKING

from unblocked.grading import answer
from unblocked.grading.roster import Person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from unblocked.grading.roster import Learner

SUFFIXES = (".ipynb", ".py")
_CANVAS = re.compile(
    r"(?P<who>[^_]+)_(?:LATE_)?(?P<id>\d{1,18})_(?P<attempt>\d{1,18})_(?P<file>.+)"
)
_MOODLE = re.compile(
    r"(?P<who>.+?)_(?P<id>\d{1,18})_assignsubmission_(?:file|onlinetext)(?:_(?P<file>.*))?"
)
_COPY = re.compile(r"( \(\d+\)|-Copy\d+)$")
"""What browsers and JupyterLab add to the name of a file that is there already."""
TIMESTAMP, LONGEST_TIMESTAMP = "timestamp.txt", 64
_LITTER = ("._", "__MACOSX", ".DS_Store", ".git", ".ipynb_checkpoints", TIMESTAMP)
"""What systems, editors and nbgrader leave beside files: how the names of it begin."""
_INSTALLED = ("site-packages", "dist-packages", "node_modules")
"""Folders of others' code, thousands of files: a virtual environment that was packed, too."""

MOST_MEMBERS = 50_000
"""Files in one zip: a class hands in fewer, and a zip made to keep the marker busy holds more."""
MOST_LOOKED_INTO, MOST_BYTES = 1_000, 16 * answer.LARGEST
"""Of each learner: files that are read as their names leave open what they answer, and bytes."""
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


@dataclass(frozen=True)
class Submission:
    """One learner's attempt at one exercise."""

    learner: str
    exercise: str
    file: File
    learner_id: str = ""
    """The learning platform's own number for the learner, where the name of the file tells it."""
    platform: str = ""
    """Whose number that is."""
    attempt: int = 0
    doubt: str = ""
    """Why it may be no attempt at all: it counts where there is no other."""

    listed: Learner | None = None
    """The learner's line in the roster, where there is one and only one."""
    unlisted: str = ""
    """Why there is none, if the roster has the name."""

    @property
    def person(self) -> Person:
        return Person(self.learner, self.platform, self.learner_id)

    @property
    def rank(self) -> tuple[bool, int, datetime]:
        """Of a learner's attempts at an exercise the one that ranks highest counts."""
        return not self.doubt, self.attempt, self.file.modified


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
    named: Callable[[list[Submission]], list[Submission]] = lambda placed: placed,
    leave_out: Path | None = None,
) -> Found:
    """All submissions below a folder (or in a zip): the newest attempt of each learner counts.

    `named` finds the learners' lines in the roster. What lies in `leave_out` is no submission.
    """
    looking, folder = _Looking(tuple(slugs)), folder.resolve()
    found, placed = Found([], []), []
    for file in _files(folder, leave_out):
        place = looking.place(file)
        if isinstance(place, str):
            found.unplaced.append((file.shown, place))
        else:
            placed.append(place)
    _keep_the_newest(_told_apart(named(placed)), found)
    return found


def _told_apart(placed: list[Submission]) -> list[Submission]:
    """Each learner under a name of their own: the roster's id, or what the files say.

    Two learners with one name carry the platform's number for them, too.
    """
    numbers = defaultdict(set)
    for one in placed:
        if one.learner_id and not one.listed:
            numbers[one.learner].add(one.person)
    names: dict[Learner | Person | str, str] = {}
    taken: set[str] = set()

    def key(one: Submission) -> Learner | Person | str:
        return one.listed or (one.person if len(numbers[one.learner]) > 1 else one.learner)

    for one in sorted(placed, key=lambda one: (not one.listed, one.person)):
        name = one.learner if one.listed is None else one.listed.id
        if isinstance(whose := key(one), Person) and one.learner_id:
            name = f"{one.learner}_{one.learner_id}"
        if whose not in names:
            names[whose] = _unlike(taken, name)
            taken.add(names[whose])
    return [replace(one, learner=names[key(one)]) for one in placed]


def _unlike(others: set[str], name: str) -> str:
    names = chain([name], (f"{name} ({n})" for n in count(2)))
    return next(free for free in names if free not in others)


def _keep_the_newest(placed: list[Submission], found: Found) -> None:
    attempts = defaultdict(list)
    for one in placed:
        attempts[one.learner, one.exercise].append(one)
    for of_one in attempts.values():
        *others, counts = sorted(of_one, key=lambda one: one.rank)
        found.submissions.append(counts)
        found.unplaced += [(other.file.shown, _why_less(other, counts)) for other in others]
    found.submissions.sort(key=lambda one: (one.exercise, one.learner))


def _why_less(other: Submission, counts: Submission) -> str:
    if other.doubt and not counts.doubt:
        return f"{other.doubt}; what counts is {counts.file.shown}"
    return f"a newer attempt counts: {counts.file.shown}"


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


def _files(folder: Path, leave_out: Path | None) -> Iterator[File]:
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
    named = _CANVAS.fullmatch(parts[0]) or _MOODLE.fullmatch(parts[0])
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


class _Looking:
    """Finds out what files answer; reads those that do not say so by name, up to a bound."""

    def __init__(self, slugs: tuple[str, ...]) -> None:
        self.slugs = slugs
        self._files: Counter[tuple[str, str]] = Counter()
        self._bytes: Counter[tuple[str, str]] = Counter()

    def place(self, file: File) -> Submission | str:
        """The submission that this file is, or why it is none."""
        if file.unusable:
            return file.unusable
        *folders, name = file.parts
        if not name.lower().endswith(SUFFIXES):
            return "neither a notebook nor Python"
        if own := _named_by(name, self.slugs):
            return _learner_of(file, own)
        loosely = _named_loosely_by(name, self.slugs)
        if loosely and name.lower().endswith(".py"):
            return _learner_of(file, loosely)
        by_folder = (_named_by(part, self.slugs) for part in reversed(folders))
        likely = loosely or next(filter(None, by_folder), "")
        try:
            inside = self._named_inside(file) & set(self.slugs)
        except Unreadable as why:
            return _learner_of(file, likely, doubt=str(why)) if likely else str(why)
        if likely in inside:
            return _learner_of(file, likely)
        if loosely:
            return _learner_of(file, loosely, doubt=f"no cell of it is an answer to {loosely}")
        if len(inside) == 1:
            return _learner_of(file, inside.pop())
        if likely:
            return _learner_of(file, likely, doubt=f"only its folder names {likely}")
        return f"no exercise of the course is named by it: {', '.join(self.slugs)}"

    def _named_inside(self, file: File) -> set[str]:
        """What cells' own ids and marker lines name.

        Raises:
            Unreadable: it cannot be read, or enough of this learner's files have been.
        """
        whose = (file.parts[0], file.parts[-1].lower().rpartition(".")[2])
        if self._files[whose] >= MOST_LOOKED_INTO or self._bytes[whose] >= MOST_BYTES:
            raise Unreadable(
                "its name leaves open what it answers, and it was not looked into: "
                f"{self._files[whose]} such files of {whose[0]} were"
            )
        self._files[whose] += 1
        data = file.read()
        self._bytes[whose] += len(data)
        return _named_in(data, file.parts[-1])


def _learner_of(file: File, exercise: str, *, doubt: str = "") -> Submission | str:
    first = unicodedata.normalize("NFC", file.parts[0])  # further down, learners choose names
    made = partial(Submission, exercise=exercise, file=file, doubt=doubt)
    if canvas := _CANVAS.fullmatch(first):  # the file, or a zip that a learner handed in
        attempt = int(canvas["attempt"])
        return made(canvas["who"], learner_id=canvas["id"], platform="canvas", attempt=attempt)
    if moodle := _MOODLE.fullmatch(first):
        return made(moodle["who"], learner_id=moodle["id"], platform="moodle")
    if len(file.parts) > 1:
        return made(re.sub(r"\.zip$", "", first, flags=re.I))
    stem = _COPY.sub("", first.rpartition(".")[0])
    learner = re.sub(rf"[-_. ]*{re.escape(exercise)}[-_. ]*", "", stem, count=1)
    return made(learner) if learner else "no learner is named"


def _named_by(part: str, slugs: tuple[str, ...]) -> str:
    """The exercise that the name of a file or a folder names, or ''."""
    stem = _stem(part)
    named = [slug for slug in slugs if re.search(rf"(?<![\w-]){slug}(?![\w-])|_{slug}$", stem)]
    return max(named, key=len, default="")


def _named_loosely_by(name: str, slugs: tuple[str, ...]) -> str:
    """The exercise that the name of a file begins or ends with, or ''."""
    stem = _stem(name)
    named = [s for s in slugs if stem.endswith((f"-{s}", f"_{s}")) or stem.startswith(s)]
    return max(named, key=len, default="")


def _stem(name: str) -> str:
    return _COPY.sub("", re.sub(r"(-\d+)?\.(ipynb|py|zip)$", "", name, flags=re.I))


def _named_in(data: bytes, name: str) -> set[str]:
    """The exercises that a file's cells or its first line name."""
    try:
        text = data.decode("utf-8-sig")
        if name.lower().endswith(".py"):
            return {answer.marked(text)}
        cells = answer.code_cells(text, name)
    except (UnicodeDecodeError, answer.Unusable):
        return set()
    named = ((answer.grade_id(cell), answer.marked(answer.source_of(cell))) for cell in cells)
    return {name for pair in named for name in pair}
