"""`unblocked grade`: mark a class, lose nothing, say what happened to every file."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from unblocked import course
from unblocked.grading import reports
from unblocked.grading.ledger import Busy, Key, Ledger
from unblocked.grading.mark import Exercise, exercise
from unblocked.grading.roster import NoRoster, Roster
from unblocked.grading.roster import read as read_roster
from unblocked.grading.sandbox import Refused
from unblocked.grading.submissions import Found, Submission, Unreadable, find
from unblocked.grading.worker import Job, job
from unblocked.grading.workforce import on_cluster, on_this_machine

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator
    from pathlib import Path


class Jobs(Sequence[Job]):
    """The jobs for submissions, each read when it is its turn: a class may not fit in memory."""

    def __init__(self, submissions: list[Submission]) -> None:
        self.submissions = submissions

    def __len__(self) -> int:
        return len(self.submissions)

    def __getitem__(self, number: Any) -> Any:
        one = self.submissions[number]
        try:
            content = one.file.read()
        except Unreadable:  # it could be read a moment ago
            content = b""
        return job(one.learner, one.exercise, one.file.shown, content)


def grade(args: argparse.Namespace) -> int:
    """Mark a class: 0 when all is marked, 2 when it could not be done as asked."""
    try:
        if not args.folder.exists():
            raise course.CourseError(f"There is no folder {args.folder}.")
        return asyncio.run(_grade(args))
    except (course.CourseError, NoRoster, Refused, Busy) as error:
        print(error, file=sys.stderr)
        return 2


async def _grade(args: argparse.Namespace) -> int:
    exercises = {room.slug: exercise(room) for room in course.rooms(args.course)}
    if not exercises:
        raise course.CourseError(f"There are no exercises below {args.course}.")
    roster = read_roster(args.roster) if args.roster else None
    found = find(args.folder, exercises)
    if roster:
        found.submissions = [_named(submission, roster) for submission in found.submissions]
    with Ledger(args.out, again=args.again) as ledger:
        keys, todo = _unmarked(found, exercises, ledger)
        new: dict[tuple[str, str], dict[str, Any]] = {}
        async for result in _shown(_workforce(args, todo), len(todo)):
            ledger.add(result)
            new[result["learner"], result["exercise"]] = result  # as read: it may have changed
        found_now = (new.get(key[:2]) or ledger.results.get(key) for key in keys)
        results = [result for result in found_now if result]
    _report(args.out, results, found, exercises, roster)
    print(f"{len(results)} answers marked, {len(found.unplaced)} files not: see {args.out}")
    return 0


def _named(submission: Submission, roster: Roster) -> Submission:
    """The submission under the roster's own id for its learner."""
    learner = roster.find(submission.learner_id, submission.learner)
    return replace(submission, learner=learner.id) if learner else submission


def _unmarked(
    found: Found, exercises: dict[str, Exercise], ledger: Ledger
) -> tuple[list[Key], Jobs]:
    """The keys of all submissions, and the jobs for those that the ledger does not hold yet."""
    keys, todo = [], []
    for submission in found.submissions:
        try:
            digest = hashlib.sha256(submission.file.read()).hexdigest()
        except Unreadable as why:
            found.unplaced.append((submission.file.shown, str(why)))
            continue
        version = exercises[submission.exercise].version
        keys.append(Key(submission.learner, submission.exercise, digest, version))
        if keys[-1] not in ledger.results:
            todo.append(submission)
    return keys, Jobs(todo)


def _workforce(args: argparse.Namespace, jobs: Sequence[Job]) -> AsyncIterator[dict[str, Any]]:
    if args.dask:
        return on_cluster(jobs, args.dask, args.course, args.require)
    return on_this_machine(jobs, args.workers or os.cpu_count() or 1, args.course, args.require)


async def _shown(
    results: AsyncIterator[dict[str, Any]], total: int
) -> AsyncIterator[dict[str, Any]]:
    """The same results, with a bar that tells how far and how long yet."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress("marking", *columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("marking", total=total)
        async for result in results:
            yield result
            progress.advance(task)


def _report(
    out: Path,
    results: list[dict[str, Any]],
    found: Found,
    exercises: dict[str, Exercise],
    roster: Roster | None,
) -> None:
    slugs = [slug for slug in exercises if any(r["exercise"] == slug for r in results)]
    most = {slug: exercises[slug].max_points for slug in slugs}
    table = reports.rows(results, roster, slugs)
    reports.grades(out / "grades.csv", table, most)
    if roster:
        reports.canvas(out / "canvas.csv", table, roster, most)
        reports.moodle(out / "moodle.csv", table, roster, most)
    for learner, who, _, result in table:
        if result:
            reports.feedback(out / "feedback", result, learner.name if learner else who)
    reports.summary(out / "summary.html", table, found.unplaced)
    _list_unplaced(out / "not-marked.csv", found.unplaced)


def _list_unplaced(path: Path, unplaced: list[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "why"))
        writer.writerows(map(reports.safe_cell, line) for line in unplaced)
