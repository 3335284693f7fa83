"""Mark one answer, and say how each criterion went as soon as it is known."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from unblocked import course
from unblocked.grading import answer, attempt, marks
from unblocked.grading.judge.mark import exercise, mark, no_answer
from unblocked.grading.sandbox.pool import NotRun, Refused, Sandbox

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from unblocked.course import Room
    from unblocked.grading.judge.judging import Verdict
    from unblocked.grading.judge.mark import Exercise, Result
    from unblocked.grading.sandbox.starting import Preimported


def check(args: argparse.Namespace, room: Room, path: Path, preimported: Preimported | None) -> int:
    """Mark the answer in a file: 0 on full marks, 1 on less, 2 when it could not be used."""
    try:
        result = asyncio.run(_marked(args, room, path, preimported))
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


async def _marked(
    args: argparse.Namespace, room: Room, path: Path, preimported: Preimported | None
) -> Result:
    sandbox = Sandbox()
    sandbox.start(preimported)
    async with sandbox:
        task = exercise(room)
        say = _reporter(args, task)
        try:
            found = answer.read(path, room.slug, task.needed)
        except answer.NoAnswer as error:
            return {**no_answer(task, str(error)), "isolation": sandbox.level}
        if attempt.is_untouched(found.source, room):
            return {**no_answer(task, attempt.NOT_ATTEMPTED), "isolation": sandbox.level}
        return await mark(task, found.source, sandbox, note=found.note, on_verdict=say)


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
