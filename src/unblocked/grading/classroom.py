"""`unblocked grade`: mark a class, lose nothing, say what happened to every file."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from unblocked import course
from unblocked.grading import reports
from unblocked.grading.ledger import Busy, Key, Ledger
from unblocked.grading.roster import NoRoster, Roster
from unblocked.grading.roster import read as read_roster
from unblocked.grading.sandbox import Refused
from unblocked.grading.submissions import SUFFIXES, Found, Submission, Unreadable, find
from unblocked.grading.versions import course_version
from unblocked.grading.worker import Job, job
from unblocked.grading.workforce import on_cluster, on_this_machine

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from unblocked.grading.workforce import Workforce

SHOWN = 5
"""Names in a remark."""


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
        _look_at(args.folder)
        return asyncio.run(_grade(args))
    except (course.CourseError, NoRoster, Refused, Busy) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"Stopped. {args.out} keeps what is marked: run it again to go on.", file=sys.stderr)
        raise


def _look_at(folder: Path) -> None:
    """Whether there is anything to mark; raises `CourseError` and OSError."""
    if not folder.exists():
        raise course.CourseError(f"There is no folder {folder}.")
    if folder.is_dir() and not any(folder.iterdir()):
        raise course.CourseError(f"There is nothing in {folder}.")
    if folder.is_file() and folder.suffix.lower() in SUFFIXES:
        raise course.CourseError(
            f"{folder} is one answer: give the folder that it lies in, or use `unblocked check`."
        )


async def _grade(args: argparse.Namespace) -> int:
    async with _workforce(args) as workforce:
        return await _mark(args, workforce)


async def _mark(args: argparse.Namespace, workforce: Workforce) -> int:
    versions = {room.slug: course_version(room) for room in course.rooms(args.course)}
    if not versions:
        raise course.CourseError(
            f"There are no exercises below {args.course}: they are to lie in exercises/SLUG/ there."
        )
    roster = read_roster(args.roster) if args.roster else None
    named = partial(_named, roster=roster)
    found = find(args.folder, versions, named=named, leave_out=args.out.resolve())
    with Ledger(args.out, again=args.again) as ledger:
        keys, todo = _unmarked(found, versions, ledger)
        new: dict[tuple[str, str], dict[str, Any]] = {}
        async for result in _shown(workforce(todo), len(todo)):
            ledger.add(result)
            new[result["learner"], result["exercise"]] = result  # as read: it may have changed
        found_now = (new.get(key[:2]) or ledger.results.get(key) for key in keys)
        results = [result for result in found_now if result]
        remarks = list(_remarks(args, found, roster, ledger))
    _report(args.out, results, found, list(versions), roster, remarks)
    print(f"{len(results)} answers marked, {len(found.unplaced)} files not: see {args.out}")
    for remark in remarks:
        print(remark, file=sys.stderr)
    return 0


def _named(submission: Submission, roster: Roster | None) -> Submission:
    """The submission under the roster's own id for its learner."""
    learner = roster and roster.find(submission.learner_id, submission.learner)
    return replace(submission, learner=learner.id, learner_id="") if learner else submission


def _remarks(
    args: argparse.Namespace, found: Found, roster: Roster | None, ledger: Ledger
) -> Iterator[str]:
    """What an instructor should look at, a sentence each."""
    learners = {one.learner for one in found.submissions}
    strangers = sorted(learners - {one.id for one in roster.learners}) if roster else []
    if strangers:
        names = ", ".join(strangers[:SHOWN]) + (", …" if len(strangers) > SHOWN else "")
        yield (
            f"Not in the roster, so in grades.csv alone: {names} ({len(strangers)} in all). "
            "Mend the names of their files, or the roster, and run it again."
        )
    of_one = sum(why.startswith("a newer attempt") for _, why in found.unplaced)
    if len(learners) == 1 and of_one > 1:
        yield (
            f"All {of_one + len(found.submissions)} files count as attempts of "
            f"{learners.pop()!r}. If they are a class, give the folder that holds the learners'."
        )
    now = {(one.learner, one.exercise) for one in found.submissions}
    earlier = len({key[:2] for key in ledger.results} - now)
    if earlier:
        yield (
            f"{earlier} earlier marks in {args.out / 'results.jsonl'} are of answers that are not "
            f"in {args.folder}: the tables leave them out. Use an --out for each folder."
        )


def _unmarked(found: Found, versions: dict[str, str], ledger: Ledger) -> tuple[list[Key], Jobs]:
    """The keys of all submissions, and the jobs for those that the ledger does not hold yet."""
    keys, todo = [], []
    for submission in found.submissions:
        try:
            digest = hashlib.sha256(submission.file.read()).hexdigest()
        except Unreadable as why:
            found.unplaced.append((submission.file.shown, str(why)))
            continue
        version = versions[submission.exercise]
        keys.append(Key(submission.learner, submission.exercise, digest, version))
        if keys[-1] not in ledger.results:
            todo.append(submission)
    return keys, Jobs(todo)


def _workforce(args: argparse.Namespace) -> AbstractAsyncContextManager[Workforce]:
    if args.dask:
        return on_cluster(args.dask, args.course, args.require)
    return on_this_machine(args.workers or os.cpu_count() or 1, args.course, args.require)


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
    slugs: list[str],
    roster: Roster | None,
    remarks: list[str],
) -> None:
    known = {result["exercise"]: result["max_points"] for result in results}
    most = {slug: known[slug] for slug in slugs if slug in known}
    times = {(one.learner, one.exercise): one.file.submitted for one in found.submissions}
    dated = [r | {"submitted": times.get((r["learner"], r["exercise"]), "")} for r in results]
    table = reports.rows(dated, roster, list(most))
    reports.grades(out / "grades.csv", table, most)
    if roster:
        reports.canvas(out / "canvas.csv", table, roster, most)
        reports.moodle(out, table, roster, most)
    reports.write_table(out / "not-marked.csv", ("file", "why"), found.unplaced)
    reports.summary(out / "summary.html", table, found.unplaced, remarks)
    for learner, who, _, result in table:  # last: there are many, and one may fail
        if result:
            reports.feedback(out / "feedback", result, learner.name if learner else who)
