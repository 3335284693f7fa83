"""`unblocked grade`: mark a class, lose nothing, say what happened to every file."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from unblocked import course
from unblocked.grading.classroom import reports
from unblocked.grading.classroom.files import SUFFIXES, Unreadable
from unblocked.grading.classroom.results import Busy, Key, ResultsFile
from unblocked.grading.classroom.roster import NoRoster, Roster
from unblocked.grading.classroom.roster import read as read_roster
from unblocked.grading.classroom.submissions import Found, Submission, find
from unblocked.grading.classroom.worker import Job, NotMarked, job
from unblocked.grading.classroom.workers import on_cluster, on_this_machine
from unblocked.grading.judge.versions import course_version
from unblocked.grading.sandbox.pool import Refused

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncGenerator, Collection, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from unblocked.grading.classroom.workers import Marked, WorkerPool

SHOWN = 5
"""Names in a remark."""


class Jobs(Sequence["Job | NotMarked"]):
    """The jobs for submissions, each read when it is its turn: a class may not fit in memory."""

    def __init__(self, submissions: list[Submission], versions: dict[str, str]) -> None:
        self.submissions, self.versions = submissions, versions

    def __len__(self) -> int:
        return len(self.submissions)

    def __getitem__(self, number: Any) -> Any:
        one = self.submissions[number]
        try:
            content = one.file.read()
        except Unreadable as why:  # it could be read a moment ago
            return NotMarked(one.file.shown, str(why))
        version = self.versions[one.exercise]
        return job(one.learner, one.exercise, version, one.file.shown, content)


def grade(args: argparse.Namespace) -> int:
    """Mark a class: 0 when all is marked, 2 when it could not be done as asked."""
    try:
        _look_at(args.folder, args.out)
        return asyncio.run(_grade(args))
    except (course.CourseError, NoRoster, Refused, Busy) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        how = "run it again without --again" if args.again else "run it again"
        print(f"Stopped. {args.out} keeps what is marked: {how} to go on.", file=sys.stderr)
        raise


def _look_at(folder: Path, out: Path) -> None:
    """Whether there is something to mark and a place for marks; raises `CourseError`, OSError."""
    if not folder.exists():
        raise course.CourseError(f"There is no folder {folder}.")
    if folder.is_dir() and not any(folder.iterdir()):
        raise course.CourseError(f"There is nothing in {folder}.")
    if folder.is_file() and folder.suffix.lower() in SUFFIXES:
        raise course.CourseError(
            f"{folder} is one answer: give the folder that it lies in, or use `unblocked check`."
        )
    if folder.resolve() in (out.resolve(), *out.resolve().parents) and _holds_answers(out):
        raise course.CourseError(
            f"Answers lie in {out}: they are not looked for where the marks go. "
            "Give an --out of its own."
        )


def _holds_answers(out: Path) -> bool:
    return any(path.suffix.lower() in SUFFIXES for path in out.rglob("*"))


async def _grade(args: argparse.Namespace) -> int:
    async with _worker_pool(args) as worker_pool:
        return await _mark(args, worker_pool)


async def _mark(args: argparse.Namespace, worker_pool: WorkerPool) -> int:
    versions = {room.slug: course_version(room) for room in course.rooms(args.course)}
    if not versions:
        raise course.CourseError(
            f"There are no exercises below {args.course}: they are to lie in exercises/SLUG/ there."
        )
    roster = read_roster(args.roster) if args.roster else None
    named = partial(_named, roster=roster)
    found = find(args.folder, versions, named=named, leave_out=args.out.resolve())
    with ResultsFile(args.out, require=args.require, again=args.again) as results_file:
        keys, todo = _unmarked(found, versions, results_file)
        _look_for(keys, found)
        new, failed = await _kept(_shown(worker_pool(todo), len(todo)), results_file)
        found.unplaced += [(one.file, one.why) for one in failed]
        found_now = (new.get(key[:2]) or results_file.results.get(key) for key in keys)
        results = [result for result in found_now if result]
        remarks = [*_remarks(args, found, roster, results_file), *_remarks_on(failed)]
    _report(args.out, results, found, list(versions), roster, remarks)
    print(f"{len(results)} answers marked, {len(found.unplaced)} files not: see {args.out}")
    for remark in (*remarks, *_remarks_on_empty(results)):
        print(remark, file=sys.stderr)
    return 2 if failed else 0


def _look_for(keys: list[Key], found: Found) -> None:
    """Raises `CourseError` when no file at all is an answer, with why not the first ones."""
    if not keys:
        shown = [f"{file or 'The folder'}: {why}." for file, why in found.unplaced[:SHOWN]]
        more = f"Files that are none: {len(found.unplaced)}."
        raise course.CourseError("\n".join([f"There is no answer to mark. {more}", *shown]))


async def _kept(
    results: AsyncGenerator[Marked], results_file: ResultsFile
) -> tuple[dict[tuple[str, str], dict[str, Any]], list[NotMarked]]:
    """Write results as they come; return them by learner and exercise, and what was not marked.

    By the content that was marked they may not be found: a file can change meanwhile.
    """
    new, failed = {}, []
    async with aclosing(results):  # nobody goes on marking when a result cannot be kept
        async for result in results:
            if isinstance(result, NotMarked):
                failed.append(result)
            else:
                results_file.add(result)
                new[result["learner"], result["exercise"]] = result
    return new, failed


def _remarks_on_empty(results: list[dict[str, Any]]) -> Iterator[str]:
    empty = [result["file"] for result in results if result["outcome"] == "no-answer"]
    if empty:
        yield (
            f"In {len(empty)} files no answer was found, so they have 0 points: {_some(empty)}. "
            "Why not stands in summary.html; look into them."
        )


def _some(names: Collection[str]) -> str:
    return ", ".join(sorted(names)[:SHOWN]) + (", …" if len(names) > SHOWN else "")


def _remarks_on(failed: list[NotMarked]) -> Iterator[str]:
    if failed:
        yield f"Not marked, by no fault of theirs: {len(failed)} answers. Run it again for them."


def _named(placed: list[Submission], roster: Roster | None) -> list[Submission]:
    """The same submissions, with their learners' lines in the roster or why they have none."""
    if roster is None:
        return placed
    places = roster.places(one.person for one in placed)
    found = [(one, places[one.person]) for one in placed]
    return [
        replace(one, unlisted=place) if isinstance(place, str) else replace(one, listed=place)
        for one, place in found
    ]


def _remarks(
    args: argparse.Namespace, found: Found, roster: Roster | None, results_file: ResultsFile
) -> Iterator[str]:
    """What an instructor should look at, a sentence each."""
    learners = {one.learner for one in found.submissions}
    if roster:
        yield from _strangers(found)
        if roster.strange_numbers(one.person for one in found.submissions):
            yield (
                "None of the platform's numbers in the names of files is in the roster, so names "
                "decided: is it the list of another assignment or course?"
            )
    for name in found.crowds:
        yield (
            f"{name} counts as one learner, and holds what the platform names after several. If it "
            f"is a class, give it alone: {args.folder / name}"
        )
    of_one = sum(why.startswith("a newer attempt") for _, why in found.unplaced)
    if len(learners) == 1 and of_one > 1:
        yield (
            f"All {of_one + len(found.submissions)} files count as attempts of "
            f"{learners.pop()!r}. If they are a class, give the folder or the zip that holds the "
            "learners'."
        )
    now = {(one.learner, one.exercise) for one in found.submissions}
    files = {(one.file.shown, one.exercise) for one in found.submissions}
    earlier = len(
        {
            key[:2]
            for key, result in results_file.results.items()
            if key[:2] not in now and (result["file"], key.exercise) not in files
        }
    )
    if earlier:
        yield (
            f"{earlier} earlier marks in {args.out / 'results.jsonl'} are of answers that are not "
            f"in {args.folder}: the tables leave them out. Use an --out for each folder."
        )


def _strangers(found: Found) -> Iterator[str]:
    """Who has no line in the roster, and why."""
    reasons = defaultdict(set)
    for one in found.submissions:
        if one.listed is None:
            reasons[one.unlisted].add(one.learner)
    for why, names in sorted(reasons.items()):
        yield (
            f"Not in the roster, so in grades.csv alone: {_some(names)} ({len(names)} in all)"
            f"{why and ': '}{why}. Mend the names of their files, or the roster, and run it again."
        )


def _unmarked(
    found: Found, versions: dict[str, str], results_file: ResultsFile
) -> tuple[list[Key], Jobs]:
    """The keys of all submissions, and the jobs for those that have no result yet."""
    keys, todo = [], []
    for submission in found.submissions:
        try:
            digest = hashlib.sha256(submission.file.read()).hexdigest()
        except Unreadable as why:
            found.unplaced.append((submission.file.shown, str(why)))
            continue
        version = versions[submission.exercise]
        keys.append(Key(submission.learner, submission.exercise, digest, version))
        if not results_file.has(keys[-1], submission.file.shown):
            todo.append(submission)
    return keys, Jobs(todo, versions)


def _worker_pool(args: argparse.Namespace) -> AbstractAsyncContextManager[WorkerPool]:
    folder = args.course and args.course.resolve()  # a worker may be elsewhere
    if args.dask is not None:
        return on_cluster(args.dask, folder, args.require)
    return on_this_machine(args.workers or os.cpu_count() or 1, folder, args.require)


async def _shown(results: AsyncGenerator[Marked], total: int) -> AsyncGenerator[Marked]:
    """The same results, with a bar that tells how far and how long yet."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress("marking", *columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("marking", total=total)
        async with aclosing(results):
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
    listed = {one.learner: one.listed for one in found.submissions if one.listed}
    table = reports.rows(dated, roster, list(most), listed)
    reports.grades(out / "grades.csv", table, most)
    written = []
    if roster:
        written += reports.moodle(out, table, roster, most)
        if reports.canvas(out / "canvas.csv", table, roster, most):
            written.append(out / "canvas.csv")
    reports.write_table(out / "not-marked.csv", ("file", "why"), found.unplaced)
    reports.summary(out / "summary.html", table, found.unplaced, remarks)
    for learner, who, _, result in table:  # last: there are many, and one may fail
        if result:
            page = reports.feedback(out / "feedback", result, learner.name if learner else who)
            written.append(page)
    reports.remove_stale(out, written, slugs)
