"""The class as the learning platform lists it: its own IDs and columns come back in the marks.

Moodle translates the headings of its worksheets, and looks them up in the language of whoever
imports. So a worksheet is known by the order of its columns and by what stands in them (Moodle's
`mod/assign/gradingtable.php` writes them, `feedback/offline/importgradeslib.php` reads them):
first an identifier, a word and a number; then the grade with its maximum to the right of it; at
the end what a comment is.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_IDS = (
    "id", "sis user id", "sis login id", "identifier", "id number", "username", "email address",
    "email", "student_id", "user id", "login", "root", "integration id",
)  # fmt: skip
_NAMES = ("student", "full name", "name")
_FIRST = ("first name", "first_name", "firstname")
_LAST = ("surname", "last name", "last_name", "lastname")
_CANVAS = {"student", "section", "sis user id", "sis login id"}
"""Columns that tell Canvas's list, whose ID is the number in the names of files, from others."""

_NUMBERED = re.compile(r"(\D{2,}?)\s*([0-9]{1,18})")
"""Moodle's identifiers: "participant" in the site's language, and a number."""

_LEAST = 7
"""Columns of a worksheet of Moodle's, whatever the site shows of its users."""
_MAXIMUM = re.compile(r"[0-9]{1,6}(?:[.,][0-9]{1,5})?")
_GRADE = re.compile(r"-?|[0-9]{1,6}(?:[.,][0-9]{1,5})?")
_ENGLISH = {
    "number": ("identifier",),
    "name": ("full name",),
    "team": ("group",),
    "grade": ("grade",),
    "maximum": ("maximum grade",),
    "comment": ("feedback comments",),
}
"""Moodle's headings in English, which is how its documentation shows them."""
_DATED = re.compile(r"-|.*\b\d{4}\b.*\d{1,2}:\d{2}.*")
"""A cell of its last columns that is no comment: when something was changed, or never."""
_ASSIGNMENT = re.compile(r".+\((\d+)\)\s*")
"""An assignment's column in Canvas's export: its name and its number there."""
_TEAMS = ("group", "team", "group name", "gruppe", "groupe", "grupo", "gruppo")

_SPREADSHEETS = (b"PK", b"\xd0\xcf\x11\xe0")
"""How files of today's spreadsheets begin, and those of the nineties."""
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_SEPARATOR_LINE = re.compile(r"\s*sep=[,;\t]?\s*?\n", re.I)
"""What Excel is told by the first line of some exports."""

_SEVERAL_LISTED = "several there have this name or number"
_OTHER_NUMBER = (
    "who has this name there has another number on the platform (in Moodle each assignment has "
    "numbers of its own: give the worksheet of this one)"
)
_SEVERAL_OF_THE_NAME = (
    "the platform has several learners with a name that stands there once (or several of Moodle's "
    "assignments lie together, each with numbers of its own: mark one at a time)"
)


class NoRoster(Exception):
    """The file is no list of learners; the text says what is missing."""


class Person(NamedTuple):
    """Whom a submission names: a name, and the platform's number where the platform made it."""

    name: str
    platform: str = ""
    number: str = ""


@dataclass(frozen=True, eq=False)
class Learner:
    """One line of the roster; two lines are two learners, whatever stands in them."""

    row: dict[str, str]
    first: str = ""
    last: str = ""
    keys: frozenset[str] = field(default=frozenset())
    numbers: frozenset[tuple[str, str]] = field(default=frozenset())
    """(platform, its own number for the learner), as in the names of the files it gives out."""
    cells: tuple[str, ...] = ()
    """The line as it came."""
    line: int = 0
    """Where it stands in the file; the heading is in line 1."""
    teams: frozenset[str] = field(default=frozenset())
    """What may be the name of the learner's group."""
    is_test: bool = False
    """Canvas's test student: nobody."""

    @property
    def id(self) -> str:
        if found := next((v for k, v in self.row.items() if k.lower() in _IDS and v), ""):
            return found
        return self.cells[0] if self.cells and self.numbers else self.name

    @property
    def email(self) -> str:
        named = (v for k, v in self.row.items() if k.lower().startswith(("email", "e-mail")))
        return next(named, "") or next((v for v in self.cells if _EMAIL.fullmatch(v)), "")

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}".strip()


@dataclass(frozen=True)
class Places:
    """In which columns of a platform's list, counted from 0, what stands; None: in none."""

    number: int | None = None
    name: int | None = None
    team: int | None = None
    grade: int | None = None
    maximum: int | None = None
    comment: int | None = None


@dataclass(frozen=True)
class Roster:
    """All learners, and the platform's columns in their order."""

    columns: tuple[str, ...]
    learners: tuple[Learner, ...]
    kind: str = "list"
    """Whose list it is: `canvas`, `moodle`, or a `list` of anybody's."""
    places: Places = Places()
    lines: tuple[tuple[tuple[str, ...], Learner | None], ...] = ()
    """All lines below the heading as they came; the learner's, where it is one's."""

    @property
    def possible(self) -> tuple[str, ...]:
        """Canvas's line of points possible; without one, empty."""
        found = (cells for cells, learner in self.lines if learner is None and cells)
        return next((c for c in found if c[0].strip().lower().startswith("points possible")), ())

    @property
    def assignments(self) -> dict[int, str]:
        """The columns of assignments in Canvas's export, by their position."""
        if self.kind != "canvas":
            return {}
        return {n: c for n, c in enumerate(self.columns) if _ASSIGNMENT.fullmatch(c)}

    def team(self, person: Person) -> tuple[Learner, ...]:
        """The members of the group that a submission is named after; none where it is no group's.

        Moodle names a team's folder after the group and numbers it by the group, which may be a
        participant's number as well: so the number counts only with the participant's own name.
        """
        plain = _plain(person.name)
        own = self._by_number.get(person[1:], [])
        if not plain or any(plain in learner.keys for learner in own):
            return ()
        return tuple(learner for learner in self.learners if plain in learner.teams)

    @cached_property
    def _by_key(self) -> dict[str, list[Learner]]:
        found = defaultdict(list)
        for learner in self.learners:
            for key in learner.keys:
                found[key].append(learner)
        return dict(found)

    @cached_property
    def _by_number(self) -> dict[tuple[str, str], list[Learner]]:
        found = defaultdict(list)
        for learner in self.learners:
            for number in learner.numbers:
                found[number].append(learner)
        return dict(found)

    def find(self, name: str) -> Learner | None:
        """The learner whom this name, id or address belongs to, if it is one alone."""
        found = self._by_key.get(_plain(name), [])
        return found[0] if len(found) == 1 else None

    def strange_numbers(self, people: Iterable[Person]) -> bool:
        """Whether both hold numbers of one platform, and have none of them in common."""
        theirs = {person[1:] for person in people if person.number}
        platforms = {platform for platform, _ in self._by_number}
        listed = any(platform in platforms for platform, _ in theirs)
        return listed and theirs.isdisjoint(self._by_number)

    def whose(self, people: Iterable[Person]) -> dict[Person, Learner | str]:
        """Each person's line, or why it is nobody's: '' where the name does not stand there.

        The platform's number decides where the roster holds these numbers, and the name elsewhere.
        A name that several have says nothing: learners may choose what the platform calls them.
        """
        people = set(people)
        numbered = {person.platform for person in people if person[1:] in self._by_number}
        placed = {person: self._place(person, numbered) for person in people}
        namesakes = defaultdict(set)
        for person, learner in placed.items():
            if isinstance(learner, Learner) and person[1:] not in learner.numbers:
                namesakes[learner].add(person)
        for several in namesakes.values():
            if len({person[1:] for person in several if person.number}) > 1:
                placed |= dict.fromkeys(several, _SEVERAL_OF_THE_NAME)
        return placed

    def _place(self, person: Person, numbered: set[str]) -> Learner | str:
        found = self._by_number.get(person[1:]) or self._by_key.get(_plain(person.name), [])
        if len(found) != 1:
            return _SEVERAL_LISTED if found else ""
        platforms = {platform for platform, _ in found[0].numbers}
        if person[1:] not in found[0].numbers and person.platform in numbered & platforms:
            return _OTHER_NUMBER
        return found[0]


def read(path: Path) -> Roster:
    """Read a roster: CSV with a heading, as Canvas, Moodle, nbgrader and spreadsheets export it.

    Raises:
        NoRoster: it cannot be read, has no column that tells learners apart, or has a line of
            which nobody can say what it means; the text names the line.
    """
    heading, *lines = table_of(path)
    columns = tuple(column.strip() for column in heading[1])
    cells = [
        (number, tuple(cell.strip() for _, cell in zip_longest(columns, line, fillvalue="")))
        for number, line in lines
        if any(cell.strip() for cell in line)
    ]
    low = [column.lower() for column in columns]
    if _CANVAS & set(low):
        return _canvas(path, columns, cells)
    if places := _moodle_places(low, [line for _, line in cells]):
        return _moodle(path, columns, cells, places)
    if len(columns) >= _LEAST and cells and _identifies([line[0] for _, line in cells]):
        raise NoRoster(
            f"{path.name} looks like Moodle's grading worksheet, and no column of it is a maximum "
            "grade with grades to its left: is the assignment graded by a scale of words, or has "
            "a column been taken out? Give it points, and download the worksheet again."
        )
    if not any(c in (*_IDS, *_NAMES, *_LAST) for c in low):
        raise NoRoster(
            f"{path.name} has no column of names or ids, only {', '.join(columns) or 'nothing'}. "
            f"Name one of: {', '.join((*_NAMES, *_LAST, *_IDS[:5]))}."
        )
    learners = [_learner(columns, line, number) for number, line in cells]
    return _roster(path, columns, learners, "list")


def _roster(
    path: Path,
    columns: tuple[str, ...],
    learners: Iterable[Learner],
    kind: str,
    places: Places | None = None,
) -> Roster:
    lines = tuple((one.cells, one if one.keys else None) for one in learners)
    people = tuple(x for _, x in lines if x)
    if all(learner.is_test for learner in people):
        raise NoRoster(f"{path.name} lists nobody: export the list of learners again.")
    return Roster(columns, people, kind, places or Places(), lines)


def _canvas(
    path: Path, columns: tuple[str, ...], cells: list[tuple[int, tuple[str, ...]]]
) -> Roster:
    learners = [_learner(columns, line, number) for number, line in cells]
    _tell_apart(path, learners)
    return _roster(path, columns, learners, "canvas")


def _tell_apart(path: Path, learners: Iterable[Learner]) -> None:
    """Raises `NoRoster` when two lines have one of the platform's numbers."""
    lines: dict[tuple[str, str], int] = {}
    for learner in learners:
        for number in learner.numbers:
            if number in lines:
                raise NoRoster(
                    f"{path.name}, lines {lines[number]} and {learner.line}: both have the number "
                    f"{number[1]}, so nobody can say whose a mark is. Export the list again."
                )
            lines[number] = learner.line


def _moodle_places(low: list[str], lines: list[tuple[str, ...]]) -> Places | None:
    """Where what stands in a worksheet of Moodle's; None where it is none."""
    english = {
        key: next((low.index(name) for name in names if name in low), None)
        for key, names in _ENGLISH.items()
    }
    if english["number"] is not None and english["grade"] is not None:
        return Places(**english)
    if not lines or not _identifies([line[0] for line in lines if line]):
        return None
    maximum = _maximum_column(lines)
    if maximum is None:
        return None
    last = len(low) - 1
    dated = all(_DATED.fullmatch(line[last]) for line in lines)
    words = [n for n in range(1, maximum - 1) if _holds_names(line[n] for line in lines)]
    if any(_EMAIL.fullmatch(line[2]) for line in lines):  # then names come first, namesakes' too
        words.insert(0, 1)
    return Places(
        number=0,
        name=words[0] if words else None,
        grade=maximum - 1,
        maximum=maximum,
        comment=None if dated or last <= maximum else last,
    )


def _identifies(cells: list[str]) -> bool:
    """Whether they are a word, the same one everywhere, and a number, never the same twice."""
    found = [_NUMBERED.fullmatch(cell) for cell in cells]
    words = {match[1].strip() for match in found if match}
    numbers = {match[2] for match in found if match}
    enough = sum(match is not None for match in found) * 10 >= len(cells) * 9
    return enough and len(words) == 1 and len(numbers) > 0


def _maximum_column(lines: list[tuple[str, ...]]) -> int | None:
    """The column with the same positive number in all lines, and grades or nothing to its left.

    The last one: in a small class all may have the same grade.
    """
    for n in reversed(range(2, len(lines[0]))):
        values = [line[n] for line in lines]
        same = len(set(values)) == 1 and _MAXIMUM.fullmatch(values[0])
        if same and number(values[0]) and all(_GRADE.fullmatch(line[n - 1]) for line in lines):
            return n
    return None


def _holds_names(cells: Iterable[str]) -> bool:
    """Whether a column's cells are words that differ: a status is the same for most."""
    filled = [cell for cell in cells if cell]
    words = bool(filled) and not any(_EMAIL.fullmatch(c) or c.isdecimal() for c in filled)
    return words and len(set(filled)) * 2 > len(filled)


def _moodle(
    path: Path, columns: tuple[str, ...], cells: list[tuple[int, tuple[str, ...]]], places: Places
) -> Roster:
    assert places.number is not None
    assert places.grade is not None
    learners = []
    for number_of_line, line in cells:
        where = f"{path.name}, line {number_of_line}"
        identifier = line[places.number]
        if not (_NUMBERED.fullmatch(identifier) or identifier.isdecimal()):
            raise NoRoster(
                f"{where}: {identifier!r} is no identifier of Moodle's, which are a word and a "
                "number. Download the grading worksheet again, and change nothing but grades."
            )
        if not _GRADE.fullmatch(line[places.grade]):
            raise NoRoster(
                f"{where}: the grade {line[places.grade]!r} is no number. Is the assignment graded "
                "by a scale of words? Then mark without --roster, and type the grades in."
            )
        if places.maximum is not None and not _fits(line[places.maximum]):
            raise NoRoster(
                f"{where}: the maximum grade {line[places.maximum]!r} is no number above 0. "
                "Download the grading worksheet again."
            )
        learners.append(_learner(columns, line, number_of_line, places))
    _tell_apart(path, learners)
    return _roster(path, columns, learners, "moodle", places)


def _fits(maximum: str) -> bool:
    return not maximum or bool(_MAXIMUM.fullmatch(maximum) and number(maximum))


def number(text: str) -> float | None:
    """The number in a cell, with a point or a comma for its decimals; None where there is none."""
    try:
        found = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def table_of(path: Path) -> list[tuple[int, list[str]]]:
    """Lines with their numbers, the heading first; whatever the encoding and the separator are."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NoRoster(f"{path} cannot be read: {error.strerror}. Check the path.") from None
    if data.startswith(_SPREADSHEETS):
        raise NoRoster(f"{path.name} is a spreadsheet's own file: save it as CSV (UTF-8).")
    text = _SEPARATOR_LINE.sub("", _decoded(data)).lstrip("\ufeff\r\n \t")
    if "\0" in text:
        raise NoRoster(f"{path.name} is no text: save it as CSV (UTF-8).")
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        found = _cells(text, separator)
    except csv.Error as error:
        raise NoRoster(f"{path.name} cannot be read as CSV: {error}. Export it again.") from None
    if not found:
        raise NoRoster(f"{path.name} is empty: export the list of learners again.")
    return found


def _cells(text: str, separator: str) -> list[tuple[int, list[str]]]:
    """Raises `csv.Error`: a quotation mark that is never closed would hide all that follow, too."""
    read = partial(csv.reader, delimiter=separator, skipinitialspace=True)
    try:
        return _numbered(read(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise csv.Error("a quotation mark in it is opened and never closed") from None
        return _numbered(read(io.StringIO(text, newline="")))


def _numbered(reader: Any) -> list[tuple[int, list[str]]]:
    """Each line with the number of the file's line that it begins in."""
    found, begins = [], 1
    for cells in reader:
        found.append((begins, cells))
        begins = reader.line_num + 1
    return found


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")  # spreadsheets on Windows


def _learner(
    columns: tuple[str, ...], line: tuple[str, ...], begins: int, places: Places | None = None
) -> Learner:
    row = dict(zip(columns, line, strict=False))
    low = {key.lower(): value for key, value in row.items()}
    first = next((low[k] for k in _FIRST if k in low), "")
    last = next((low[k] for k in _LAST if k in low), "")
    whole = next((low[k] for k in _NAMES if low.get(k)), "")
    if places and places.name is not None:
        whole = whole or line[places.name]
    if whole and not (first or last):
        first, last = _split(whole)
    numbers = _numbers(low) | (_moodle_number(line, places) if places else set())
    ids = [*(low[k] for k in _IDS if low.get(k)), *(number for _, number in numbers)]
    ids += [cell for cell in line if _EMAIL.fullmatch(cell)]  # headings are in any language
    if _CANVAS & low.keys() and not low.get("id"):  # points possible, how grades are posted
        return Learner(row, cells=line, line=begins)
    names = [f"{first} {last}", f"{last} {first}", whole, *ids]
    keys = frozenset(_plain(n) for n in names if _plain(n))
    is_test = "section" in low and _plain(whole) == "studenttest" and not low.get("sis user id")
    teams = frozenset(_plain(name) for name in _team_names(low, line, places) if _plain(name))
    return Learner(row, first, last, keys, numbers, line, begins, teams, is_test)


def _team_names(low: dict[str, str], line: tuple[str, ...], places: Places | None) -> list[str]:
    """What may name the learner's group: of a translated worksheet, what stands before the grade.

    No heading says so there; a submission that is named like it does.
    """
    if places is None:
        return [low[k] for k in _TEAMS if low.get(k)]
    if places.team is not None:
        return [line[places.team]]
    if places.name is None or places.grade is None or places.maximum is None:
        return []
    return [cell for cell in line[places.name + 1 : places.grade] if not _EMAIL.fullmatch(cell)]


def _moodle_number(line: tuple[str, ...], places: Places) -> set[tuple[str, str]]:
    found = _NUMBERED.fullmatch(line[places.number]) if places.number is not None else None
    return {("moodle", found[2])} if found else set()


def _numbers(low: dict[str, str]) -> frozenset[tuple[str, str]]:
    """The platform's own numbers in a line; no other column is one, however alike it looks."""
    found = {("canvas", low.get("id", ""))} if _CANVAS & low.keys() else set()
    for name in ("id", "identifier"):
        numbered = _NUMBERED.fullmatch(low.get(name, ""))
        if numbered and len(numbered[1].strip()) > 2:
            found.add(("moodle", numbered[2]))
    found.add(("moodle", low.get("identifier", "")))
    return frozenset((platform, n) for platform, n in found if n.isdecimal())


def _split(name: str) -> tuple[str, str]:
    if "," in name:
        last, _, first = name.partition(",")
        return first.strip(), last.strip()
    first, _, last = name.rpartition(" ")
    return first, last


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFC", name)).casefold()
