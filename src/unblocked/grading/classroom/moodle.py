"""Writes the grading worksheets that Moodle takes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unblocked.grading.classroom.reports import Kept, reason, scaled, write_table
from unblocked.grading.classroom.roster import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from unblocked.grading.classroom.reports import Result, Row
    from unblocked.grading.classroom.roster import Learner, Roster

_OWN = ("Grade", "Maximum Grade", "Feedback comments")
"""The columns that a worksheet of ours ends with; Moodle puts others between them."""


def write(
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
        self.maximum = self._column(roster.places.maximum, _OWN[1], english)
        self.comment = self._column(roster.places.comment, _OWN[2], english)
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


def one_line(result: Result) -> str:
    """What a learner reads beside the grade."""
    if "override" in result:
        return str(result.get("comment") or "Marked by hand.")
    if result["outcome"] == "no-answer":
        return reason(result)
    late = f" {result['late']}." if result.get("penalty") else ""
    missed = [check["name"] for check in result["checks"] if not check["passed"]]
    said = "All criteria are met." if not missed else f"Not yet: {', '.join(missed)}."
    return said + late
