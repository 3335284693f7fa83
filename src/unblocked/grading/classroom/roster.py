"""The class as the learning platform lists it: its own IDs and columns come back in the marks."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

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

_NUMBERED = re.compile(r"\D{3,}(\d+)")
"""Moodle's identifiers: "participant" in the site's language, and a number."""

_SPREADSHEETS = (b"PK", b"\xd0\xcf\x11\xe0")
"""How files of today's spreadsheets begin, and those of the nineties."""
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

    @property
    def id(self) -> str:
        return next((v for k, v in self.row.items() if k.lower() in _IDS and v), self.name)

    @property
    def email(self) -> str:
        return next((v for k, v in self.row.items() if k.lower().startswith("email")), "")

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}".strip()


@dataclass(frozen=True)
class Roster:
    """All learners, and the platform's columns in their order."""

    columns: tuple[str, ...]
    learners: tuple[Learner, ...]

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

    def places(self, people: Iterable[Person]) -> dict[Person, Learner | str]:
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
        NoRoster: it cannot be read, or has no column that tells learners apart.
    """
    heading, *lines = _lines(path)
    columns = tuple(column.strip() for column in heading)
    if not any(c.lower() in (*_IDS, *_NAMES, *_LAST) for c in columns):
        raise NoRoster(
            f"{path.name} has no column of names or ids, only {', '.join(columns) or 'nothing'}. "
            f"Name one of: {', '.join((*_NAMES, *_LAST, *_IDS[:5]))}."
        )
    rows = [dict(zip_longest(columns, line[: len(columns)], fillvalue="")) for line in lines]
    learners = [_learner({k: v.strip() for k, v in row.items()}) for row in rows]
    return Roster(columns, tuple(x for x in learners if x.keys))


def _lines(path: Path) -> list[list[str]]:
    """The cells of the file, the heading first; whatever its encoding and its separator are."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NoRoster(f"{path} cannot be read: {error.strerror}. Check the path.") from None
    if data.startswith(_SPREADSHEETS):
        raise NoRoster(f"{path.name} is a spreadsheet's own file: save it as CSV (UTF-8).")
    text = _SEPARATOR_LINE.sub("", _decoded(data)).lstrip()
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


def _cells(text: str, separator: str) -> list[list[str]]:
    """Raises `csv.Error`: a quotation mark that is never closed would hide all that follow, too."""
    read = partial(csv.reader, delimiter=separator, skipinitialspace=True)
    try:
        return list(read(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise csv.Error("a quotation mark in it is opened and never closed") from None
        return list(read(io.StringIO(text, newline="")))


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")  # spreadsheets on Windows


def _learner(row: dict[str, str]) -> Learner:
    low = {key.lower(): value for key, value in row.items()}
    first = next((low[k] for k in _FIRST if k in low), "")
    last = next((low[k] for k in _LAST if k in low), "")
    whole = next((low[k] for k in _NAMES if low.get(k)), "")
    if whole and not (first or last):
        first, last = _split(whole)
    if whole.lower().startswith("points possible"):  # the second line of Canvas's export
        return Learner(row)
    ids = [low[k] for k in _IDS if low.get(k)]
    numbers = _numbers(low)
    ids += [number for _, number in numbers]
    names = [f"{first} {last}", f"{last} {first}", whole, *ids]
    return Learner(row, first, last, frozenset(_plain(n) for n in names if _plain(n)), numbers)


def _numbers(low: dict[str, str]) -> frozenset[tuple[str, str]]:
    """The platform's own numbers in a line; no other column is one, however alike it looks."""
    found = {("canvas", low.get("id", ""))} if _CANVAS & low.keys() else set()
    for name in ("id", "identifier"):
        if numbered := _NUMBERED.fullmatch(low.get(name, "")):
            found.add(("moodle", numbered[1]))
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
