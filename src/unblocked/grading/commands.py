"""`unblocked check` and `unblocked list`."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from unblocked import course
from unblocked.grading import answer, marks

if TYPE_CHECKING:
    import argparse

    from unblocked.grading.judging import Verdict
    from unblocked.grading.mark import Exercise, Result


def check(args: argparse.Namespace) -> int:
    """Mark one answer: 0 on full marks, 1 on less, 2 when it could not be used."""
    from unblocked.grading.sandbox import NotRun, Refused

    try:
        result = asyncio.run(_marked(args))
    except (answer.Unusable, course.CourseError, Refused) as error:
        print(error, file=sys.stderr)
        return 2
    except NotRun as error:
        print(f"Not marked, by no fault of the answer: {error}. Try again.", file=sys.stderr)
        return 2
    marks.remember(result)
    if args.json or args.stream:
        print(json.dumps(result), flush=True)
    else:
        _print_total(result)
    return 0 if result["points"] == result["max_points"] else 1


async def _marked(args: argparse.Namespace) -> Result:
    from unblocked.grading.sandbox import Nursery
    from unblocked.rig import raise_descriptor_limit

    room = course.room(args.slug)
    path = answer.existing(args.file)
    raise_descriptor_limit()
    nursery = Nursery()
    nursery.start()
    from unblocked.grading.mark import exercise, mark, no_answer

    async with nursery:
        task = exercise(room)
        say = _reporter(args, task)
        try:
            found = answer.read(path, room.slug, task.needed)
        except answer.NoAnswer as error:
            return {**no_answer(task, str(error)), "isolation": nursery.rung}
        return await mark(task, found.source, nursery, note=found.note, on_verdict=say)


def _reporter(args: argparse.Namespace, task: Exercise) -> Any:
    if args.stream:
        names = [c.name for c in task.criteria]
        print(json.dumps({"criteria": names, "max_points": task.max_points}), flush=True)
        return lambda verdict: print(json.dumps(verdict.as_dict()), flush=True)
    return (lambda _: None) if args.json else print_verdict


def print_verdict(verdict: Verdict) -> None:
    """One criterion as text."""
    sign = "passed" if verdict.passed else "FAILED"
    print(f"{sign}  {verdict.points}/{verdict.max_points}  {verdict.name}")
    for line in verdict.message.splitlines():
        print(f"              {line}")
    sys.stdout.flush()


def _print_total(result: dict[str, Any]) -> None:
    if result["outcome"] != "graded":
        print(f"\n{result['outcome']}: {result['checks'][0]['message']}")
    print(f"\n{result['exercise']}: {result['points']} of {result['max_points']} points")
    print(f"(isolation: {result['isolation']}, {result['seconds']:.1f} s)")


def list_exercises(_: argparse.Namespace) -> int:
    """Print slug, title, points, minutes and the best mark of every exercise."""
    kept = marks.best()
    rows = [("slug", "title", "points", "minutes", "best")]
    for room in course.rooms():
        mark = kept.get(room.slug)
        best = f"{mark['points']}/{mark['max_points']}" if mark else "-"
        rows.append((room.slug, room.title, str(room.points), str(room.minutes), best))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    return 0
