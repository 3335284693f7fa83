"""`unblocked check` and `unblocked list`.

Imports little: what marking needs is imported beside what answers need.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from unblocked import course, marks
from unblocked._next import next_step
from unblocked.grading import answer
from unblocked.grading.sandbox import starting

if TYPE_CHECKING:
    import argparse


def check(args: argparse.Namespace) -> int:
    """Mark one answer: 0 on full marks, 1 on less, 2 when it could not be used."""
    try:
        room, path = course.room(args.slug), answer.existing(args.file)
    except (answer.Unusable, course.CourseError) as error:
        print(error, file=sys.stderr)
        return 2
    starting.shut_out(course.course_folder(), marks.folder())
    preimported = starting.preimport()
    from unblocked.grading import checking

    return checking.check(args, room, path, preimported)


def list_exercises(_: argparse.Namespace) -> int:
    """Print every exercise with its best mark, the lessons' minutes, and what to do next."""
    kept = marks.best()
    rows: list[tuple[str, ...]] = [("slug", "title", "points", "minutes", "best")]
    for room in course.rooms():
        mark = kept.get(room.slug)
        best = f"{mark['points']}/{mark['max_points']}" if mark else "-"
        rows.append((room.slug, room.title, str(room.points), str(room.minutes), best))
    _print_table(rows)
    lessons = course.lessons()
    print("\nLessons:")
    for lesson in lessons:
        print(f"  {lesson.number}  {lesson.title} ({lesson.minutes} min)")
    print(f"\n{next_step(lessons, course.rooms(), kept)}")
    return 0


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
