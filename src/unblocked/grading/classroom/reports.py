"""What a class's marks become: tables for learning platforms, a page per learner, a summary."""

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
    return NOT_ATTEMPTED if _reason(row.result) == attempt.NOT_ATTEMPTED else NOT_MARKABLE


def why_not(row: Row) -> str:
    """Why something that was handed in has no mark of its own; '' where it has."""
    if standing(row) != NOT_MARKABLE:
        return ""
    return row.why if row.result is None else _reason(row.result)


def _reason(result: Result) -> str:
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


def canvas(
    path: Path,
    rows: Sequence[Row],
    roster: Roster,
    max_points: Mapping[str, int],
    *,
    column: str | None = None,
    overwrite: bool = False,
    kept: list[Kept] | None = None,
) -> bool:
    """A gradebook that Canvas imports: the roster's columns and one per exercise.

    An exercise is marked in the assignment's own column of the export, on its scale, where one
    and only one is named like it; else in a new one, named by the slug. What a column holds
    already (EX, too) stays, unless `overwrite`; then it is told in `kept`. None is written for a
    roster without any of Canvas's columns; returns whether one was.
    """
    named = {column.lower(): n for n, column in enumerate(roster.columns)}
    own = [n for column, n in named.items() if column in CANVAS_COLUMNS]
    if not own or roster.kind != "canvas":
        return False
    slugs = [slug for slug in max_points if any(row.slug == slug for row in rows)]
    columns = canvas_columns(roster, slugs, column)
    heading = [roster.columns[n] for n in own]
    heading += [roster.columns[columns[s]] if s in columns else s for s in slugs]
    results = {(row.learner, row.slug): row.result for row in rows if row.learner and row.result}
    write_table(path, heading, (
        [*(x.cells[n] for n in own), *(
            _canvas_cell(roster, columns.get(s), s, x, results.get((x, s)), max_points[s],
                         overwrite=overwrite, kept=kept)
            for s in slugs
        )]
        for x in roster.learners if not x.is_test
    ))  # fmt: skip
    return True


def canvas_columns(
    roster: Roster, slugs: Sequence[str], column: str | None = None
) -> dict[str, int]:
    """In which column of Canvas's export which exercise is marked, where it can be told.

    Told is it by `column`, where there is one exercise, else by an assignment that is named like
    the exercise.
    """
    if column is not None and len(slugs) == 1:
        places = [n for n, name in roster.assignments.items() if name == column]
        return dict(zip(slugs, places, strict=False))
    found = {}
    for slug in slugs:
        wanted = _letters(slug)
        fitting = [n for n, name in roster.assignments.items() if wanted in _letters(name)]
        if len(fitting) == 1:
            found[slug] = fitting[0]
    return found


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def _canvas_cell(
    roster: Roster,
    column: int | None,
    slug: str,
    learner: Learner,
    result: Result | None,
    most: int,
    *,
    overwrite: bool,
    kept: list[Kept] | None,
) -> object:
    if column is None:
        return result["points"] if result else ""
    held = learner.cells[column]
    if result is None:
        return held
    possible = roster.possible[column] if roster.possible else ""
    ours = scaled(result["points"], most, possible)
    if held and not overwrite:
        if kept is not None and number(held) != number(ours):
            kept.append(Kept(learner, slug, held, ours))
        return held
    return ours


CANVAS_COLUMNS = (
    "student", "lastname", "firstname", "id", "sis user id", "sis login id", "section",
    "root account",
)  # fmt: skip
"""With these names, and these first, its gradebook_importer takes a file for a gradebook."""


def moodle(
    folder: Path,
    rows: Sequence[Row],
    roster: Roster,
    max_points: Mapping[str, int],
    *,
    overwrite: bool = False,
    kept: list[Kept] | None = None,
) -> list[Path]:
    """Moodle's grading worksheets: as they came, with the grade and a comment.

    One for each exercise, as Moodle takes a worksheet for one assignment: `moodle-SLUG.csv`, or
    `moodle.csv` where there is one exercise alone. A grade or a comment that the worksheet holds
    stays, unless `overwrite`; then it is told in `kept`. Returns where they lie: nowhere for a
    list that is not Moodle's.
    """
    if roster.kind != "moodle":
        return []
    several = len(max_points) > 1
    paths = {s: folder / (f"moodle-{s}.csv" if several else "moodle.csv") for s in max_points}
    for slug, path in paths.items():
        of_it = {row.learner: row.result for row in rows if row.slug == slug and row.learner}
        sheet = _Worksheet(roster, slug, max_points[slug], overwrite, kept)
        lines = [sheet.line(learner, of_it.get(learner)) for learner in roster.learners]
        write_table(path, sheet.heading, lines)
    return list(paths.values())


class _Worksheet:
    """One of Moodle's worksheets as it is written back."""

    def __init__(
        self, roster: Roster, slug: str, most: int, overwrite: bool, kept: list[Kept] | None
    ) -> None:
        self.slug, self.most, self.overwrite, self.kept = slug, most, overwrite, kept
        self.places = roster.places
        self.heading = list(roster.columns)
        english = roster.places.number is None or roster.columns[0].lower() == "identifier"
        self.maximum = self._column(roster.places.maximum, _MOODLE_OWN[1], english)
        self.comment = self._column(roster.places.comment, _MOODLE_OWN[2], english)
        grades = [x.cells[self.places.grade] for x in roster.learners] if self.places.grade else []
        self.comma = any("," in cell for cell in grades)

    def _column(self, place: int | None, name: str, english: bool) -> int | None:
        """Where it is, or is added; a translated worksheet without it has none."""
        if place is None and english:
            self.heading.append(name)
            return len(self.heading) - 1
        return place

    def line(self, learner: Learner, result: Result | None) -> list[object]:
        cells: list[object] = [*learner.cells]
        cells += [""] * (len(self.heading) - len(cells))
        if self.maximum is not None and not cells[self.maximum]:
            cells[self.maximum] = self.most
        if result is None:
            return cells
        assert self.places.grade is not None
        given = learner.cells[self.places.maximum] if self.places.maximum is not None else ""
        ours = scaled(result["points"], self.most, given, comma=self.comma)
        held = learner.cells[self.places.grade]
        if held in ("", "-") or self.overwrite:
            cells[self.places.grade] = ours
            if self.comment is not None and (not cells[self.comment] or self.overwrite):
                cells[self.comment] = one_line(result)
        elif self.kept is not None and number(held) != number(ours):
            self.kept.append(Kept(learner, self.slug, held, ours))
        return cells


def scaled(points: float, most: float, maximum: str, *, comma: bool = False) -> str:
    """Points on the scale of a list whose maximum this is, with its decimal comma or point."""
    top = number(maximum)
    found = round(points * top / most, 2) if top and most else points
    return f"{found:g}".replace(".", "," if comma or "," in maximum else ".")


_MOODLE_OWN = ("Grade", "Maximum Grade", "Feedback comments")
"""The columns that a worksheet of ours ends with; Moodle puts others between them."""


def one_line(result: Result) -> str:
    """What a learner reads beside the grade."""
    if "override" in result:
        return str(result.get("comment") or "Marked by hand.")
    if result["outcome"] == "no-answer":
        return _reason(result)
    late = f" {result['late']}." if result.get("penalty") else ""
    missed = [check["name"] for check in result["checks"] if not check["passed"]]
    said = "All criteria are met." if not missed else f"Not yet: {', '.join(missed)}."
    return said + late


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
