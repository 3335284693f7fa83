"""`unblocked total`: the marks of several weeks, a line for each learner."""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unblocked.course import CourseError
from unblocked.grading.classroom import reports, roster
from unblocked.grading.judge.judging import plain

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

NEEDED = {"assignment", "student_id", "email", "score", "max_score", "first_name", "last_name"}
Column = tuple[str, str]
"""The folder's name and the exercise."""


@dataclass
class Person:
    """A learner over all weeks."""

    student_id: str
    last: str
    first: str
    email: str
    points: dict[Column, float] = field(default_factory=dict)
    weeks: set[Path] = field(default_factory=set)


@dataclass
class Totals:
    """What several tables of marks hold together."""

    people: list[Person] = field(default_factory=list)
    most: dict[Column, float] = field(default_factory=dict)
    _by_email: dict[str, Person] = field(default_factory=dict)
    _by_id: dict[str, Person] = field(default_factory=dict)

    def person(self, row: dict[str, str], people: roster.Roster | None) -> Person:
        """Whose row this is: by the address where both have one, else by the id.

        Moodle numbers participants anew in each assignment, so an id of its can be another's.
        """
        email, student_id = row["email"].strip().casefold(), row["student_id"].strip()
        listed = people and ((email and people.find(email)) or people.find(student_id))
        if people and not listed:
            listed = people.find(f"{row['first_name']} {row['last_name']}")
        if listed:
            return self._by_id[listed.id]
        found = self._by_email.get(email) if email else None
        same = self._by_id.get(student_id)
        if found is None and same is not None and not (email and same.email):
            found = same
        if found is None:
            found = Person(student_id, row["last_name"], row["first_name"], row["email"].strip())
            self.add(found)
        if email:
            self._by_email.setdefault(email, found)
        return found

    def add(self, person: Person) -> None:
        self.people.append(person)
        self._by_id.setdefault(person.student_id, person)
        if person.email:
            self._by_email.setdefault(person.email.casefold(), person)


def total(args: argparse.Namespace) -> int:
    """Write the totals: 0 when they are written, 2 when they could not be."""
    try:
        people = roster.read(args.roster) if args.roster else None
        totals = add_up(args.folders, people)
    except (CourseError, roster.NoRoster) as error:
        print(plain(str(error)), file=sys.stderr)
        return 2
    _write(args.out, totals)
    print(f"Learners: {len(totals.people)}; exercises: {len(totals.most)}. See {args.out}")
    return 0


def add_up(folders: list[Path], people: roster.Roster | None) -> Totals:
    """The marks in these folders.

    Raises:
        CourseError: a folder holds no table of marks, is named twice, or two learners of one
            folder cannot be told apart.
    """
    totals = Totals()
    for learner in people.learners if people else ():
        if not learner.is_test:
            totals.add(Person(learner.id, learner.last, learner.first, learner.email))
    seen: dict[Path, None] = {}
    for folder in folders:
        if folder.resolve() in seen:
            raise CourseError(f"{folder} is given twice.")
        seen[folder.resolve()] = None
        _take(totals, folder, people)
    return totals


def _take(totals: Totals, folder: Path, people: roster.Roster | None) -> None:
    path = folder / "grades.csv"
    week = folder.resolve().name
    if any(name == week for name, _ in totals.most):
        week = str(folder)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", "") or error
        raise CourseError(
            f"{path} cannot be read: {why}. Give folders that `unblocked grade` made by --out."
        ) from None
    for number, row in enumerate(rows, 2):
        if not row.keys() >= NEEDED:
            raise CourseError(f"{path} is no table of marks: it lacks columns of nbgrader's.")
        _add(totals, row, (week, row["assignment"]), f"{path}, row {number}", people)


def _add(
    totals: Totals, row: dict[str, str], column: Column, where: str, people: roster.Roster | None
) -> None:
    person = totals.person(row, people)
    most, points = roster.number(row["max_score"]), roster.number(row["score"])
    if most is None or (row["score"] and points is None):
        raise CourseError(
            f"{where}: the score {row['score']!r} of {row['max_score']!r} is no mark."
        )
    totals.most[column] = most
    if points is None:
        return
    if column in person.points:
        raise CourseError(
            f"{where}: {row['student_id']} has a mark for {column[1]} already, in {column[0]}. "
            "Are there two learners of this id? A --roster with addresses tells them apart."
        )
    person.points[column] = points


def _write(path: Path, totals: Totals) -> None:
    columns = list(totals.most)
    slugs = [slug for _, slug in columns]
    heading = [slug if slugs.count(slug) == 1 else f"{week}/{slug}" for week, slug in columns]
    most = sum(totals.most.values())
    lines = (
        [
            *(one.student_id, one.last, one.first, one.email),
            *(_plain(one.points.get(column)) for column in columns),
            _plain(round(sum(one.points.values()), 2)),
            _plain(most),
        ]
        for one in totals.people
    )
    first = ("student_id", "last_name", "first_name", "email")
    reports.write_table(path, (*first, *heading, "total", "max_total"), lines)


def _plain(points: float | None) -> str:
    return "" if points is None else f"{points:g}"
