"""What a person decides about marks: overrides, a due date and what being late costs."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from unblocked.course import CourseError
from unblocked.grading.classroom.roster import number, table_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from unblocked.grading.classroom.roster import Learner, Roster

COLUMNS = ("learner", "exercise", "points", "comment")
"""Of a file of overrides; `comment` may be missing."""


@dataclass(frozen=True)
class Override:
    """Points that a person gives; they win over the grader's."""

    learner: str
    exercise: str
    points: float
    comment: str
    where: str
    """File and line."""


def read_overrides(path: Path, slugs: Collection[str]) -> list[Override]:
    """The overrides in a CSV file with a heading.

    Raises:
        CourseError: the file cannot be read, or a line of it says nothing that can be done.
    """
    heading, *lines = table_of(path)
    names = [cell.strip().lower() for cell in heading[1]]
    if missing := [name for name in COLUMNS[:3] if name not in names]:
        raise CourseError(
            f"{path.name} has no column {', '.join(missing)}: its first line must be "
            f"{','.join(COLUMNS)}."
        )
    found: dict[tuple[str, str], Override] = {}
    for line_number, cells in lines:
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        row = dict(zip(names, cells, strict=False))
        where = f"{path.name}, line {line_number}"
        one = _override(row, where, slugs)
        if earlier := found.get((one.learner, one.exercise)):
            raise CourseError(
                f"{where}: {one.learner} has an override for {one.exercise} already "
                f"({earlier.where}). Keep one of the two."
            )
        found[one.learner, one.exercise] = one
    return list(found.values())


def _override(row: dict[str, str], where: str, slugs: Collection[str]) -> Override:
    slug, learner = row.get("exercise", ""), row.get("learner", "")
    points = number(row.get("points", ""))
    if not learner:
        raise CourseError(f"{where}: no learner is named.")
    if slug not in slugs:
        raise CourseError(f"{where}: there is no exercise {slug!r}, only {', '.join(slugs)}.")
    if points is None or points < 0:
        raise CourseError(f"{where}: the points {row.get('points', '')!r} are no number from 0 up.")
    return Override(learner, slug, points, row.get("comment", ""), where)


def resolve(
    overrides: list[Override],
    learners: Collection[str],
    roster: Roster | None,
    listed: Mapping[Learner, str],
    *,
    lenient: bool,
) -> tuple[list[tuple[Override, str, Learner | None]], list[str]]:
    """Each override with the name of its learner in the marks, and the line of the roster.

    A learner is named as in `grades.csv`, or by anything that the roster has of them. With
    `lenient` (they were kept by an earlier run) those of nobody are returned as remarks.

    Raises:
        CourseError: somebody is named who has handed in nothing and is not in the roster.
    """
    found: list[tuple[Override, str, Learner | None]] = []
    remarks = []
    for one in overrides:
        learner = roster.find(one.learner) if roster else None
        if learner is not None:
            found.append((one, listed.get(learner, learner.id), learner))
            continue
        if one.learner in learners:
            found.append((one, one.learner, None))
            continue
        said = (
            f"{one.where}: nobody is called {one.learner!r}. Take the name from grades.csv"
            f"{', or an id or a name from the roster' if roster else ''}."
        )
        if not lenient:
            raise CourseError(said)
        remarks.append(said)
    return found, remarks


def apply(
    overrides: list[tuple[Override, str, Learner | None]],
    results: list[dict[str, Any]],
    listed: dict[str, Learner],
    most: dict[str, int],
) -> list[dict[str, Any]]:
    """The results with what overrides say in them; those of absent learners are added."""
    by_key = {(r["learner"], r["exercise"]): r for r in results}
    for one, who, learner in overrides:
        if learner is not None:
            listed.setdefault(who, learner)
        old = by_key.get((who, one.exercise)) or nothing(who, one.exercise, most[one.exercise])
        said = {"raw": old["points"], "points": _whole(one.points), "override": one.where}
        by_key[who, one.exercise] = old | said | {"comment": one.comment, "penalty": 0}
    return list(by_key.values())


def nothing(who: str, slug: str, most: int) -> dict[str, Any]:
    """What stands in the place of a result where nothing was handed in."""
    return {
        "learner": who, "exercise": slug, "points": 0, "max_points": most, "outcome": "no-answer",
        "checks": [], "isolation": "", "file": "", "marked_at": "",
    }  # fmt: skip


def _whole(points: float) -> float:
    return int(points) if points == int(points) else points


@dataclass(frozen=True)
class Due:
    """Until when answers are on time, and the percentage of the maximum that each day costs."""

    until: datetime
    per_day: float = 0.0

    def late(self, when: datetime) -> int:
        """The days that have begun since then; 0 for what is on time.

        Noon of one day to noon of the next is a day, also where summer time ends between them.
        """
        if when <= self.until:
            return 0
        since, now = (x.astimezone().replace(tzinfo=None) for x in (self.until, when))
        return max(1, math.ceil((now - since) / timedelta(days=1)))


def due(text: str, per_day: float) -> Due:
    """A due date as it is typed: `2026-12-01 23:59`, or a day, whose last minute counts.

    Raises:
        CourseError: it is none.
    """
    try:
        until = datetime.fromisoformat(text)
        if len(text.strip()) == 10:
            until = until.replace(hour=23, minute=59, second=59)
        return Due(until.astimezone(), per_day)
    except (ValueError, OverflowError):
        raise CourseError(
            f"{text!r} is no date: write it like 2026-12-01, or 2026-12-01 23:59."
        ) from None


def penalised(result: dict[str, Any], days: int, per_day: float, word: str) -> dict[str, Any]:
    """The result of an answer that is so many days late; never less than 0 points."""
    if not (days or word):
        return result
    late = word or f"{days} day{'s' * (days != 1)} late"
    penalty = min(result["points"], round(result["max_points"] * per_day / 100 * days, 2))
    points = round(result["points"] - penalty, 2)
    said = {"late": late, "raw": result["points"], "penalty": _whole(penalty)}
    return result | said | {"points": _whole(points)}


def write_overrides(path: Path, overrides: list[Override]) -> None:
    """Keep them with the marks, for the runs that follow."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, quoting=csv.QUOTE_ALL)
        out.writerow(COLUMNS)
        out.writerows((o.learner, o.exercise, o.points, o.comment) for o in overrides)
