"""Writes the gradebook that Canvas imports."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from unblocked.grading.classroom.reports import Kept, scaled, write_table
from unblocked.grading.classroom.roster import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from unblocked.grading.classroom.reports import Result, Row
    from unblocked.grading.classroom.roster import Learner, Roster

COLUMNS = (
    "student", "lastname", "firstname", "id", "sis user id", "sis login id", "section",
    "root account",
)  # fmt: skip
"""With these names, and these first, its gradebook_importer takes a file for a gradebook."""


def write(
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
    own = [n for column, n in named.items() if column in COLUMNS]
    if not own or roster.kind != "canvas":
        return False
    slugs = [slug for slug in max_points if any(row.slug == slug for row in rows)]
    columns = columns_of(roster, slugs, column)
    heading = [roster.columns[n] for n in own]
    heading += [roster.columns[columns[s]] if s in columns else s for s in slugs]
    results = {(row.learner, row.slug): row.result for row in rows if row.learner and row.result}
    write_table(path, heading, (
        [*(x.cells[n] for n in own), *(
            _cell(roster, columns.get(s), s, x, results.get((x, s)), max_points[s],
                         overwrite=overwrite, kept=kept)
            for s in slugs
        )]
        for x in roster.learners if not x.is_test
    ))  # fmt: skip
    return True


def columns_of(roster: Roster, slugs: Sequence[str], column: str | None = None) -> dict[str, int]:
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


def _cell(
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
