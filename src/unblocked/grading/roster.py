"""The class as the learning platform lists it: its own IDs and columns come back in the marks."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_IDS = (
    "id", "sis user id", "sis login id", "identifier", "id number", "username", "email address",
    "email", "student_id", "user id", "login", "root", "integration id",
)  # fmt: skip
_NAMES = ("student", "full name", "name")
_FIRST = ("first name", "first_name", "firstname")
_LAST = ("surname", "last name", "last_name", "lastname")


_NUMBERED = re.compile(r"\D{3,}(\d+)")
"""Moodle's identifiers: "participant" in the site's language, and a number."""


class NoRoster(Exception):
    """The file is no list of learners; the text says what is missing."""


@dataclass(frozen=True)
class Learner:
    """One line of the roster."""

    row: dict[str, str]
    first: str = ""
    last: str = ""
    keys: frozenset[str] = field(default=frozenset())

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

    def find(self, *names: str) -> Learner | None:
        """The learner whom one of these names, ids or addresses belongs to, if it is one alone."""
        for name in names:
            found = [x for x in self.learners if name and _plain(name) in x.keys]
            if len(found) == 1:
                return found[0]
        return None


def read(path: Path) -> Roster:
    """Read a roster: CSV with a heading, as Canvas, Moodle, nbgrader and spreadsheets export it.

    Raises:
        NoRoster: it cannot be read, or has no column that tells learners apart.
    """
    heading, *lines = _lines(path)
    columns = tuple(heading)
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
    if data.startswith(b"PK"):
        raise NoRoster(f"{path.name} is a spreadsheet's own file: save it as CSV (UTF-8).")
    text = _decoded(data)
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise NoRoster(f"{path.name} cannot be read as CSV: {error}. Export it again.") from None
    if not found:
        raise NoRoster(f"{path.name} is empty: export the list of learners again.")
    return found


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
    numbered = (_NUMBERED.fullmatch(low.get(k, "")) for k in ("id", "identifier"))
    ids += [found[1] for found in numbered if found]
    names = [f"{first} {last}", f"{last} {first}", whole, *ids]
    return Learner(row, first, last, frozenset(_plain(n) for n in names if _plain(n)))


def _split(name: str) -> tuple[str, str]:
    if "," in name:
        last, _, first = name.partition(",")
        return first.strip(), last.strip()
    first, _, last = name.rpartition(" ")
    return first, last


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFC", name)).casefold()
