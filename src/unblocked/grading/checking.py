"""Marks one answer, and reports each criterion as soon as it is decided."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from unblocked import course, marks
from unblocked.grading import answer, attempt
from unblocked.grading.judge.mark import exercise, mark, no_answer
from unblocked.grading.sandbox.pool import NotRun, Refused, Sandbox
from unblocked.verdicts import Printed, Reporter, total

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from unblocked.course import Room
    from unblocked.grading.judge.mark import Result
    from unblocked.grading.sandbox.starting import Preimported


def check(args: argparse.Namespace, room: Room, path: Path, preimported: Preimported | None) -> int:
    """Mark the answer in a file; return 0 on full marks, 1 on less, 2 when it could not be used."""
    try:
        result = asyncio.run(_mark(args, room, path, preimported))
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


async def _mark(
    args: argparse.Namespace, room: Room, path: Path, preimported: Preimported | None
) -> Result:
    sandbox = Sandbox()
    sandbox.start(preimported)
    async with sandbox:
        task = exercise(room)
        reporter = _reporter(args)
        reporter.begin([criterion.name for criterion in task.criteria], task.max_points)
        try:
            found = answer.read(path, room.slug)
        except answer.NoAnswer as error:
            return {**no_answer(task, str(error)), "isolation": sandbox.level}
        if attempt.is_untouched(found.cells, room):
            return {**no_answer(task, attempt.NOT_ATTEMPTED), "isolation": sandbox.level}
        return await mark(
            task,
            found.cells,
            sandbox,
            on_verdict=lambda verdict: reporter.update(verdict.as_dict()),
            on_doubt=reporter.again,
        )


class _Streamed(Reporter):
    """Prints a line of JSON for each step, for `check` in a notebook."""

    def begin(self, criteria: Sequence[str], max_points: int) -> None:
        self._tell({"criteria": criteria, "max_points": max_points})

    def update(self, check: dict[str, Any]) -> None:
        self._tell(check)

    def again(self, criteria: int) -> None:
        self._tell({"again": criteria})

    def _tell(self, message: dict[str, Any]) -> None:
        print(json.dumps(message), flush=True)


def _reporter(args: argparse.Namespace) -> Reporter:
    if args.stream:
        return _Streamed()
    return Reporter() if args.json else Printed()


def _print_total(result: dict[str, Any]) -> None:
    if result["outcome"] == "no-answer":
        print(result["checks"][0]["message"])
    print(f"\n{result['exercise']}: {total(result)}")
    print(f"(isolation: {result['isolation']}, {result['seconds']:.1f} s)")
