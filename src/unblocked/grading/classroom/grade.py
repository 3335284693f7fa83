"""`unblocked grade`: mark a class, lose nothing, say what happened to every file."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from unblocked import course
from unblocked.grading import attempt
from unblocked.grading.classroom import adjust, canvas, moodle, pages, reports
from unblocked.grading.classroom.files import SUFFIXES, Unreadable
from unblocked.grading.classroom.results import Busy, Key, ResultsFile
from unblocked.grading.classroom.roster import NoRoster, Roster
from unblocked.grading.classroom.roster import read as read_roster
from unblocked.grading.classroom.sources import shown_source
from unblocked.grading.classroom.submissions import Found, Submission, find
from unblocked.grading.classroom.summary import alike, counts, summary
from unblocked.grading.classroom.worker import Job, NotMarked, job
from unblocked.grading.classroom.workers import on_cluster, on_this_machine
from unblocked.grading.classroom.written import Made, remove_stale
from unblocked.grading.judge.judging import plain
from unblocked.grading.judge.versions import course_version
from unblocked.grading.sandbox import starting
from unblocked.grading.sandbox.pool import Refused

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncGenerator, Collection, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from unblocked.grading.classroom.roster import Learner, Person
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
        starting.shut_out(args.folder, args.out, args.course or course.course_folder())
        return asyncio.run(_grade(args))
    except (course.CourseError, NoRoster, Refused, Busy) as error:
        print(_told(str(error)), file=sys.stderr)
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


@dataclass
class Asked:
    """What a run is asked for, read and found good before anything is marked."""

    versions: dict[str, str]
    """The exercises that are marked, by slug, with the versions of their checks."""
    points: dict[str, int]
    roster: Roster | None = None
    overrides: list[adjust.Override] = field(default_factory=list)
    """All that are given, of other exercises, too."""
    applied: list[tuple[adjust.Override, str, Learner | None]] = field(default_factory=list)
    """Those of the exercises that are marked, each with the learner's name in the marks."""
    due: adjust.Due | None = None
    overwrite: bool = False
    column: str | None = None
    nbgrader: Path | None = None


def _asked(args: argparse.Namespace) -> Asked:
    """Raises `CourseError` and `NoRoster`."""
    rooms = course.rooms(args.course)
    if not rooms:
        raise course.CourseError(
            f"There are no exercises below {args.course}: they are to lie in exercises/SLUG/ there."
        )
    only = getattr(args, "only", None)
    if only is not None:
        rooms = (course.room(only, args.course),)
    versions = {room.slug: course_version(room) for room in rooms}
    asked = Asked(versions, {room.slug: room.points for room in rooms})
    asked.roster = read_roster(args.roster) if args.roster else None
    asked.overrides = _overrides(args, [room.slug for room in course.rooms(args.course)])
    per_day = getattr(args, "penalty", None) or 0.0
    if text := getattr(args, "due", None):
        asked.due = adjust.due(text, per_day)
    elif per_day:
        raise course.CourseError("--penalty needs --due: late compared with what?")
    asked.overwrite = getattr(args, "overwrite", False)
    asked.column = getattr(args, "column", None)
    _look_for_column(asked)
    asked.nbgrader = getattr(args, "nbgrader_feedback", None)
    return asked


def _look_for_column(asked: Asked) -> None:
    """Raises `CourseError` when Canvas's column that is asked for cannot be the one."""
    if asked.column is None:
        return
    names = [*asked.roster.assignments.values()] if asked.roster else []
    if asked.column not in names:
        there = ", ".join(names) or "none, as no export of Canvas's gradebook is given by --roster"
        raise course.CourseError(f"There is no column {asked.column!r}. There are: {there}.")
    if len(asked.versions) > 1:
        raise course.CourseError("--column is for one exercise: name it with --only.")


def _overrides(args: argparse.Namespace, slugs: list[str]) -> list[adjust.Override]:
    """Those that are given now, or those of the run before."""
    given, kept = getattr(args, "overrides", None), args.out / "overrides.csv"
    if given is None:
        return adjust.read_overrides(kept, slugs) if kept.is_file() else []
    return adjust.read_overrides(given, slugs)


async def _mark(args: argparse.Namespace, worker_pool: WorkerPool) -> int:
    asked = _asked(args)
    known = [room.slug for room in course.rooms(args.course)]
    found = find(
        args.folder,
        known,
        named=partial(_named, roster=asked.roster),
        leave_out=args.out.resolve(),
        only=getattr(args, "only", None),
    )
    lost = _resolve_overrides(args, asked, found)
    with ResultsFile(args.out, require=args.require, again=args.again) as results_file:
        _forget(args, found, results_file)
        keys, todo, copies = _unmarked(found, asked.versions, results_file)
        _look_for(keys, found)
        new, failed = await _kept(_shown(worker_pool(todo), len(todo)), results_file)
        for key, shown in copies:
            results_file.has(key, shown)
        found.unplaced += [(one.file, one.why) for one in failed]
        found_now = (new.get(key[:2]) or results_file.results.get(key) for key in keys)
        results = [result for result in found_now if result]
        remarks = [*_remarks(args, found, asked.roster, results_file), *_remarks_on(failed)]
        remarks += lost
    table = _report(
        args.out, results, found, list(asked.versions), asked.roster, remarks, asked=asked
    )
    if asked.overrides:
        adjust.write_overrides(args.out / "overrides.csv", asked.overrides)
    _tell(args, results, found, table, remarks)
    return 2 if failed else 0


def _resolve_overrides(args: argparse.Namespace, asked: Asked, found: Found) -> list[str]:
    """Find the learners of overrides; returns remarks, raises `CourseError`, before all marking."""
    everybody = (*found.submissions, *found.unmarkable)
    asked.applied, remarks = adjust.resolve(
        [one for one in asked.overrides if one.exercise in asked.versions],
        {one.learner for one in everybody},
        asked.roster,
        {one.listed: one.learner for one in everybody if one.listed},
        lenient=getattr(args, "overrides", None) is None,
    )
    return [*remarks, *_more_than_all(asked)]


def _more_than_all(asked: Asked) -> Iterator[str]:
    """Bonus may be meant, but a typing error is likelier, and Moodle leaves such grades out."""
    for one, who, _ in asked.applied:
        if one.points > (most := asked.points[one.exercise]):
            yield f"{one.where}: {who} has {one.points:g} points, and {one.exercise} has {most}."


def _forget(args: argparse.Namespace, found: Found, results_file: ResultsFile) -> None:
    """Let one learner's answers be marked afresh."""
    if (name := getattr(args, "again_for", None)) is None:
        return
    wanted = {
        one.learner
        for one in found.submissions
        if name in (one.learner, one.person.name, one.person.number)
        or (one.listed and name in (one.listed.name, one.listed.id, one.listed.email))
    }
    if not wanted:
        raise course.CourseError(
            f"Nobody who handed something in is called {name!r}. Take the name from grades.csv."
        )
    results_file.forget(wanted)


def _told(text: str) -> str:
    """What is safe to print: learners choose names of files, and their own."""
    return plain(text)


def _tell(
    args: argparse.Namespace,
    results: list[dict[str, Any]],
    found: Found,
    table: list[reports.Row],
    remarks: list[str],
) -> None:
    print(f"{len(results)} answers marked, {len(found.unplaced)} files not: see {args.out}")
    for remark in (*remarks, *_remarks_on_standings(table), *_remarks_on_empty(results)):
        print(_told(remark), file=sys.stderr)


def _remarks_on_standings(table: list[reports.Row]) -> Iterator[str]:
    """How many have what, and who has no mark though something was handed in."""
    found, called = counts(table), _Called(table)
    yield "; ".join(f"{word}: {found[word]}" for word in reports.STANDINGS if found[word])
    if failed := [row for row in table if reports.standing(row) == reports.NOT_MARKABLE]:
        yield f"These {len(failed)} handed something in and have no mark of their own:"
        for row in failed:
            yield f"  {called(row)}, {row.slug}: {reports.why_not(row)}"
    for word in (reports.NOT_ATTEMPTED, reports.ABSENT):
        names = {called(row) for row in table if reports.standing(row) == word}
        if names:
            yield f"{word.capitalize()} ({len(names)}): {', '.join(sorted(names))}"


class _Called:
    """What learners are called: by their names, namesakes by their ids, too."""

    def __init__(self, table: list[reports.Row]) -> None:
        whose = defaultdict[str, set[str]](set)
        for row in table:
            whose[self._name(row)].add(row.who)
        self._several = {name for name, ids in whose.items() if len(ids) > 1}

    @staticmethod
    def _name(row: reports.Row) -> str:
        return (row.learner.name if row.learner else "") or row.who

    def __call__(self, row: reports.Row) -> str:
        name = self._name(row)
        return f"{name} ({row.who})" if name in self._several else name


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
    empty = [
        result["file"]
        for result in results
        if result["outcome"] == "no-answer"
        and result["checks"][:1]
        and result["checks"][0]["message"] != attempt.NOT_ATTEMPTED
    ]
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
    """The same submissions, with their learners' lines in the roster or why they have none.

    What a team handed in is one submission of each member.
    """
    if roster is None:
        return placed
    teams = {one.person: roster.team(one.person) for one in placed}
    alone = [one for one in placed if not teams[one.person]]
    places = roster.whose(one.person for one in alone)
    return [placing for one in placed for placing in _placings(one, teams, places)]


def _placings(
    one: Submission, teams: dict[Person, tuple[Learner, ...]], places: dict[Person, Learner | str]
) -> list[Submission]:
    if members := teams[one.person]:
        return [replace(one, listed=x, team=one.learner, learner_id="") for x in members]
    place = places[one.person]
    if isinstance(place, str):
        return [replace(one, unlisted=place)]
    return [replace(one, listed=place)]


def _remarks(
    args: argparse.Namespace, found: Found, roster: Roster | None, results_file: ResultsFile
) -> Iterator[str]:
    """What an instructor should look at, a sentence each."""
    learners = {one.learner for one in found.submissions}
    if roster:
        yield from _strangers(found)
        if roster.strange_numbers(one.person for one in found.submissions if not one.team):
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
    for one in (*found.submissions, *found.unmarkable):
        if one.listed is None:
            reasons[one.unlisted].add(one.learner)
    for why, names in sorted(reasons.items()):
        yield (
            f"Not in the roster, so in grades.csv alone: {_some(names)} ({len(names)} in all)"
            f"{why and ': '}{why}. Correct the names of their files, or the roster, "
            "and run it again."
        )


def _unmarked(
    found: Found, versions: dict[str, str], results_file: ResultsFile
) -> tuple[list[Key], Jobs, list[tuple[Key, str]]]:
    """The keys of all submissions, the jobs for those that have no result, and copies of these.

    A team's answer is marked once, and its other members have the same mark.
    """
    keys, todo, copies = [], [], []
    in_hand: set[tuple[str, str]] = set()
    for submission in found.submissions:
        shown = submission.file.shown
        try:
            digest = hashlib.sha256(submission.file.read()).hexdigest()
        except Unreadable as why:
            found.unplaced.append((shown, str(why)))
            found.unmarkable.append(replace(submission, exercise="", doubt=str(why)))
            continue
        key = Key(submission.learner, submission.exercise, digest, versions[submission.exercise])
        keys.append(key)
        if results_file.has(key, shown):
            continue
        if submission.team and (shown, submission.exercise) in in_hand:
            copies.append((key, shown))
            continue
        in_hand.add((shown, submission.exercise))
        todo.append(submission)
    return keys, Jobs(todo, versions), copies


def _worker_pool(args: argparse.Namespace) -> AbstractAsyncContextManager[WorkerPool]:
    folder = args.course and args.course.resolve()  # a worker may be elsewhere
    if args.dask is not None:
        return on_cluster(args.dask, folder, args.require)
    only = getattr(args, "only", None)
    return on_this_machine(args.workers or os.cpu_count() or 1, folder, args.require, only)


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
    *,
    asked: Asked | None = None,
) -> list[reports.Row]:
    """Write the tables and pages; add to `remarks` what an instructor is to know of them."""
    asked = asked or Asked({}, {}, roster)
    listed = {one.learner: one.listed for one in found.submissions if one.listed}
    listed |= {one.learner: one.listed for one in found.unmarkable if one.listed}
    overridden = {one.exercise for one, _, _ in asked.applied}
    known = {slug: asked.points[slug] for slug in asked.points if slug in overridden}
    known |= {result["exercise"]: result["max_points"] for result in results}
    most = {slug: known[slug] for slug in slugs if slug in known}
    dated = _adjusted(results, found, asked)
    dated = adjust.apply(asked.applied, dated, listed, most)
    failed = {one.learner: one.doubt for one in found.unmarkable}
    table = reports.rows(dated, roster, list(most), listed, failed)
    reports.grades(out / "grades.csv", table, most)
    written = _for_platforms(out, table, asked, found, most, remarks)
    reports.write_table(out / "not-marked.csv", ("file", "why"), found.unplaced)
    for row in table:  # late: there are many, and one may fail
        if row.result:
            who = row.learner.name if row.learner else row.who
            written.append(pages.feedback(out / "feedback", row.result, who))
    remove_stale(out, written, slugs)
    return table


def _for_platforms(
    out: Path,
    table: list[reports.Row],
    asked: Asked,
    found: Found,
    most: dict[str, int],
    remarks: list[str],
) -> list[Path]:
    """What is imported elsewhere, and the summary; returns where it lies."""
    made, kept, roster, slugs = Made(out), list[reports.Kept](), asked.roster, list(most)
    names = [f"moodle-{slug}.csv" for slug in slugs] if len(slugs) > 1 else ["moodle.csv"]
    if roster and roster.kind in ("moodle", "canvas"):
        mine = [out / name for name in (names if roster.kind == "moodle" else ["canvas.csv"])]
        moved = made.make_room(mine)
        remarks += [f"A file that was not made here is kept as {path}." for path in moved]
    written = []
    if roster:
        options: dict[str, Any] = {"overwrite": asked.overwrite, "kept": kept}
        written += moodle.write(out, table, roster, most, **options)
        into = {"column": asked.column, **options}
        if canvas.write(out / "canvas.csv", table, roster, most, **into):
            written.append(out / "canvas.csv")
            columns = canvas.columns_of(roster, slugs, asked.column)
            if lost := [slug for slug in slugs if slug not in columns and roster.assignments]:
                remarks.append(
                    f"No column of the list, or several, is named like {', '.join(lost)}: "
                    "canvas.csv has a new one. To fill another, name it: "
                    "--only SLUG --column 'NAME (12)'."
                )
    numbers = _moodles_numbers(found)
    written += pages.for_moodle(out, table, numbers, slugs)
    made.remember(path for path in written)
    if asked.nbgrader:
        pages.for_nbgrader(asked.nbgrader, table)
    if kept:
        called = _Called(table)
        rows = {row.learner: row for row in table}
        people = [called(rows[one.learner]) for one in kept]
        remarks.append(
            f"Kept as the list holds it, {len(kept)} in all: {', '.join(people)}. The marks of the "
            "grader are in grades.csv and summary.html; --overwrite puts them into the list."
        )
    sources = _sources(found, table)
    summary(out / "summary.html", table, found.unplaced, remarks, kept, sources)
    return written


def _moodles_numbers(found: Found) -> dict[tuple[str, str], str]:
    """Moodle's number for each participant, by learner and exercise."""
    numbers = {}
    for one in found.submissions:
        listed = one.listed.numbers if one.listed else ()
        own = next((number for platform, number in listed if platform == "moodle"), "")
        if one.platform == "moodle" and (own or one.learner_id):
            numbers[one.learner, one.exercise] = own or one.learner_id
    return numbers


def _adjusted(results: list[dict[str, Any]], found: Found, asked: Asked) -> list[dict[str, Any]]:
    """The results with the time of submission, and what being late costs."""
    submissions = {(one.learner, one.exercise): one for one in found.submissions}
    adjusted = []
    for result in results:
        one = submissions.get((result["learner"], result["exercise"]))
        if one is None:
            adjusted.append(result | {"submitted": ""})
            continue
        days = asked.due.late(one.when) if asked.due and one.when else 0
        word = "late, by the platform" if one.late else ""
        if one.late and asked.due and asked.due.per_day:
            days = max(days, 1)  # Canvas does not say how many
        dated = result | {"submitted": one.file.submitted}
        per_day = asked.due.per_day if asked.due else 0.0
        adjusted.append(adjust.penalised(dated, days, per_day, word))
    return adjusted


def _sources(found: Found, table: list[reports.Row]) -> dict[tuple[str, str], str]:
    """The text of the answers that are alike."""
    wanted = {
        (row.result["learner"], slug)
        for slug in {row.slug for row in table}
        for group in alike([row for row in table if row.slug == slug])
        for row in group
        if row.result
    }
    texts = {}
    for one in found.submissions:
        if (key := (one.learner, one.exercise)) in wanted:
            with suppress(Unreadable):
                texts[key] = shown_source(one.file.read(), one.file.parts[-1], one.exercise)
    return texts
