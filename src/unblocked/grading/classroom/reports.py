"""What became of each learner's exercise, and the tables that say so."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from unblocked._files import replace
from unblocked.grading import attempt
from unblocked.grading.classroom.roster import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from unblocked.grading.classroom.roster import Learner, Roster

Result = dict[str, Any]


class Row(NamedTuple):
    """One learner and one exercise; what became of it is told by `standing`."""

    learner: Learner | None
    """The line of the roster, if there is one."""
    who: str
    """The learner's name or id."""
    slug: str
    result: Result | None
    why: str = ""
    """Why there is no result, though something was handed in."""


MARKED, NOT_ATTEMPTED = "marked", "not attempted"
NOT_MARKABLE, ABSENT, OVERRIDDEN = "not markable", "absent", "override"
STANDINGS = (MARKED, OVERRIDDEN, NOT_ATTEMPTED, NOT_MARKABLE, ABSENT)
"""What may have become of a learner's exercise: one of these, always."""


def standing(row: Row) -> str:
    """Which of `STANDINGS` a row has."""
    if row.result is None:
        return NOT_MARKABLE if row.why else ABSENT
    if "override" in row.result:
        return OVERRIDDEN
    if row.result["outcome"] != "no-answer":
        return MARKED
    return NOT_ATTEMPTED if reason(row.result) == attempt.NOT_ATTEMPTED else NOT_MARKABLE


def why_not(row: Row) -> str:
    """Why something that was handed in has no mark of its own; '' where it has."""
    if standing(row) != NOT_MARKABLE:
        return ""
    return row.why if row.result is None else reason(row.result)


def reason(result: Result) -> str:
    """What the mark of something that was not judged says; '' where it says nothing."""
    return next((str(check["message"]) for check in result["checks"]), "")


NBGRADER = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip
"""The columns of `nbgrader export`."""
OURS = ("status", "late", "comment")
"""Columns after those: what became of it, the platform's or the due date's word, and why."""


def rows(
    results: Iterable[Result],
    roster: Roster | None,
    exercises: Sequence[str],
    listed: Mapping[str, Learner] = MappingProxyType({}),
    failed: Mapping[str, str] = MappingProxyType({}),
) -> list[Row]:
    """One row per learner and exercise; learners of the roster without a result are absent.

    `listed` tells whose line of the roster a result's learner has: equal names do not. `failed`
    tells why those who handed something in have no mark at all.
    """
    by_key = {(r["learner"], r["exercise"]): r for r in results}
    if roster is None:
        found = [Row(None, who, slug, result) for (who, slug), result in by_key.items()]
        found += [Row(None, who, slug, None, why) for who, why in failed.items()
                  for slug in exercises]  # fmt: skip
        return sorted(found, key=lambda row: (row.who, row.slug))
    ids = {learner.id for learner in roster.learners}
    named = {learner: who for who, learner in listed.items()}
    people: list[tuple[Learner | None, str, str | None]]
    people = [(x, x.id, named.get(x)) for x in roster.learners if not x.is_test]
    for who in sorted(({who for who, _ in by_key} | failed.keys()) - listed.keys()):
        people.append((None, f"{who} (not in the roster)" if who in ids else who, who))
    return [
        Row(x, shown, slug, by_key.get((who or "", slug)), failed.get(who or "", ""))
        for x, shown, who in people
        for slug in exercises
    ]


_INNER_FORMULA = re.compile(r"""([;\t\r\n|][\s"]*)(?=[=+@-])""")
"""What a spreadsheet takes for a cell's beginning when its own list separator is another."""


def safe_cell(value: object) -> object:
    """A cell that no spreadsheet runs: what begins like a formula in it gets an apostrophe."""
    if not isinstance(value, str):
        return value
    if value == "-":  # Moodle's word for never
        return value
    text = _INNER_FORMULA.sub(r"\1'", value)
    return f"'{text}" if text[:1] in tuple("=+-@\t\r\n") else text


def write_table(path: Path, heading: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """A CSV file that no spreadsheet runs, whatever separates its cells.

    All cells are quoted: else one with a semicolon in it is two where that is the list separator.
    """
    file = io.StringIO(newline="")
    csv.writer(file).writerow([safe_cell(cell) for cell in heading])
    quoting = csv.writer(file, quoting=csv.QUOTE_ALL)
    quoting.writerows([safe_cell(cell) for cell in line] for line in lines)
    replace(path, file.getvalue().encode(errors="replace"))


def grades(path: Path, rows: Iterable[Row], max_points: Mapping[str, int]) -> None:
    """`grades.csv` in nbgrader's columns and ours; the scores of an absent learner are empty."""
    write_table(path, (*NBGRADER, *OURS), (_grade_line(row, max_points) for row in rows))


def _grade_line(row: Row, max_points: Mapping[str, int]) -> list[object]:
    learner, who, slug, result, _ = row
    first, last, email = (learner.first, learner.last, learner.email) if learner else ("", "", "")
    points: object = result["points"] if result else ""
    raw: object = result.get("raw", points) if result else ""
    when, late = (result.get(k, "") for k in ("submitted", "late")) if result else ("", "")
    penalty = result.get("penalty", 0.0) if result else 0.0
    comment = why_not(row) or (result or {}).get("comment", "")
    line = [slug, "", when, who, last, first, email, raw, penalty, points, max_points[slug]]
    return [*line, standing(row), late, comment]


class Kept(NamedTuple):
    """A cell of a platform's list that was left as it is, though there is a mark for it."""

    learner: Learner
    exercise: str
    held: str
    ours: str


def scaled(points: float, most: float, maximum: str, *, comma: bool = False) -> str:
    """Points on the scale of a list whose maximum this is, with its decimal comma or point."""
    top = number(maximum)
    found = round(points * top / most, 2) if top and most else points
    return f"{found:g}".replace(".", "," if comma or "," in maximum else ".")


LONGEST_NAME = 200
"""Bytes of a name that become a file's: most file systems take 255."""


def safe_name(name: str) -> str:
    """A file name for anybody's name: no path, no surprise, and never twice the same."""
    plain = re.sub(r"[^\w.,+@ -]", "_", name).strip(" .")
    plain = plain.encode()[:LONGEST_NAME].decode(errors="ignore").rstrip(" .")
    if plain and plain == name:
        return plain
    raw = name.encode(errors="surrogatepass")
    return f"{plain or 'learner'}-{hashlib.sha256(raw).hexdigest()[:8]}"
