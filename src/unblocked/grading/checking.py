"""Mark one answer, and say how each criterion went as soon as it is known."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from unblocked import course, marks
from unblocked.grading import answer, attempt
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
        reporter = _reporter(args)
        reporter.begin(task)
        try:
            found = answer.read(path, room.slug)
        except answer.NoAnswer as error:
            return {**no_answer(task, str(error)), "isolation": sandbox.level}
        if attempt.is_untouched(found.cells, room):
            return {**no_answer(task, attempt.NOT_ATTEMPTED), "isolation": sandbox.level}
        return await mark(
            task, found.cells, sandbox, on_verdict=reporter.verdict, on_doubt=reporter.again
        )


class _Reporter:
    """Says nothing on the way, as `--json` wants it."""

    def begin(self, task: Exercise) -> None:
        """The marking begins."""

    def verdict(self, verdict: Verdict) -> None:
        """One criterion is decided; perhaps for a second time."""

    def again(self, criteria: int) -> None:
        """So many criteria are about to be judged a second time."""


class _Streamed(_Reporter):
    """A line of JSON for each step, for `check` in a notebook."""

    def begin(self, task: Exercise) -> None:
        names = [criterion.name for criterion in task.criteria]
        print(json.dumps({"criteria": names, "max_points": task.max_points}), flush=True)

    def verdict(self, verdict: Verdict) -> None:
        print(json.dumps(verdict.as_dict()), flush=True)

    def again(self, criteria: int) -> None:
        print(json.dumps({"again": criteria}), flush=True)


class _Printed(_Reporter):
    """Text for a terminal, in which no verdict and no reason stands twice."""

    def __init__(self) -> None:
        self._told: dict[str, bool] = {}

    def verdict(self, verdict: Verdict) -> None:
        if self._told.get(verdict.name) is not verdict.passed:
            print_verdict(verdict)
        self._told[verdict.name] = verdict.passed

    def again(self, criteria: int) -> None:
        what = "1 criterion is" if criteria == 1 else f"{criteria} criteria are"
        print(
            f"{what} judged once more, alone: this machine is busy, or something took very long.",
            flush=True,
        )


def _reporter(args: argparse.Namespace) -> _Reporter:
    if args.stream:
        return _Streamed()
    return _Reporter() if args.json else _Printed()


def print_verdict(verdict: Verdict) -> None:
    """One criterion as text."""
    sign = "passed" if verdict.passed else "FAILED"
    print(f"{sign}  {verdict.points}/{verdict.max_points}  {verdict.name}")
    for line in verdict.message.splitlines():
        print(f"              {line}")
    sys.stdout.flush()


def _print_total(result: dict[str, Any]) -> None:
    if result["outcome"] == "no-answer":
        print(f"\nno-answer: {result['checks'][0]['message']}")
    elif result["outcome"] != "graded":
        print(f"\n{result['outcome']}: the reason stands above")
    print(f"\n{result['exercise']}: {result['points']} of {result['max_points']} points")
    print(f"(isolation: {result['isolation']}, {result['seconds']:.1f} s)")
