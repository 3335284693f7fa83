"""The class as the learning platform lists it: its own IDs and columns come back in the marks."""

from __future__ import annotations

import csv
import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_IDS = (
    "id", "sis user id", "sis login id", "identifier", "id number", "username", "email address",
    "email", "student_id", "user id", "login", "root", "integration id",
)  # fmt: skip
_NAMES = ("student", "full name", "name")
_FIRST, _LAST = ("first name", "first_name"), ("surname", "last name", "last_name")


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
    """Read a roster: CSV with a heading, as Canvas, Moodle and nbgrader export it.

    Raises:
        NoRoster: it has no column that tells learners apart.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = [{k: (v or "").strip() for k, v in row.items() if k} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise NoRoster(f"{path} cannot be read as CSV: {error}.") from None
    columns = tuple(reader.fieldnames or ())
    if not any(c.lower() in (*_IDS, *_NAMES, *_LAST) for c in columns):
        raise NoRoster(f"{path.name} has no column of names or ids; its columns: {columns}.")
    learners = [_learner(row) for row in rows]
    return Roster(columns, tuple(x for x in learners if x.keys))


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
    ids += [i.removeprefix("Participant ") for i in ids]
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
