"""What the checks do not see: small changes in right answers that keep full marks.

Every right answer of every exercise is changed in one small way, some thousand times
(`bench.mutants_made`), and the class of mutants is marked as any other: by two workers, in the
sandbox. A mutant with full marks has survived. It is explained in `mutants.md` beside its exercise,
which says what of the contract it does not change, or it shows a check that is missing.

Marks are kept in `mutants.jsonl` as they come: a run that was stopped goes on where it ended. What
survived earlier checks is marked again first, what they killed last. What fails while the machine
is too busy for this process to keep time is marked again in the end, alone; when it is still too
busy then, it has no mark, and the next run marks it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from bench.mutants_made import Mutant, mutants
from bench.report import RESULTS, Report
from unblocked import course
from unblocked.grading.checks.exam import Exam
from unblocked.grading.classroom.worker import ANSWERS_AT_A_TIME, SLOTS
from unblocked.grading.judge.judging import Judging
from unblocked.grading.judge.mark import exercise
from unblocked.grading.judge.versions import course_version
from unblocked.grading.sandbox.pool import NotRun, Sandbox
from unblocked.grading.sandbox.run import Code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from bench.report import Row, Size
    from unblocked.course import Room
    from unblocked.grading.judge.judging import Verdict
    from unblocked.grading.judge.mark import Exercise

WORKERS = 2
MARKED = {"tiny": 12, "quick": 400, "full": None}
"""How many of the mutants are marked, of an order of which every beginning is spread."""
NOT_HERE = ("catch-the-bug",)
"""Its answers are tests of apps, which are mutants themselves."""
TICK, LATE = 0.1, 0.5
"""Seconds between two looks at the loop's time, and seconds late at which nothing is certain."""
KEPT = "mutants.jsonl"
EXPLAINED = "mutants.md"


@dataclass(frozen=True)
class Mark:
    """How a mutant was marked: the first criterion that failed, or '', and by which checks."""

    digest: str
    version: str
    killed_by: str

    @property
    def survived(self) -> bool:
        return not self.killed_by


@dataclass(frozen=True)
class Explanation:
    """Why mutants that look like this change nothing that is asked."""

    slug: str
    operators: frozenset[str]
    pattern: re.Pattern[str]
    answers: frozenset[str]
    reason: str

    def fits(self, mutant: Mutant) -> bool:
        """Whether it is about this mutant: by operator, answer and what its diff shows."""
        return (
            mutant.slug == self.slug
            and mutant.operator in self.operators
            and (not self.answers or mutant.answer in self.answers)
            and bool(self.pattern.search(mutant.diff))
        )


def study(size: Size, folder: Path = RESULTS) -> Report:
    """Mark what is not marked yet, and say what survived."""
    rooms = studied()
    made = mutants(rooms)
    marks = Marks(folder / KEPT)
    versions = {room.slug: course_version(room) for room in rooms}
    todo = marks.missing(made, versions, MARKED[size])
    try:
        asyncio.run(_mark(todo, rooms, marks))
    except KeyboardInterrupt:
        print(f"Stopped; the same command goes on from here: {folder / KEPT}", file=sys.stderr)
        raise SystemExit(130) from None
    except ExceptionGroup as errors:
        raise RuntimeError(str(errors.exceptions[0])) from errors
    return report(made, marks.of(made), versions, explanations(rooms))


def studied() -> list[Room]:
    """The exercises whose right answers are changed."""
    return [room for room in course.rooms() if room.slug not in NOT_HERE]


# --- marking ----------------------------------------------------------------------------------


class Marks:
    """The marks in a file, a line each; the last line about a mutant counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.by_id: dict[str, Mark] = {}
        for line in _whole_lines(path):
            name, *rest = json.loads(line)
            self.by_id[name] = Mark(*rest)

    def of(self, made: Iterable[Mutant]) -> dict[str, Mark]:
        """The marks of these mutants, by their ids: of the same text, by whatever version."""
        found = ((one, self.by_id.get(one.id)) for one in made)
        return {one.id: mark for one, mark in found if mark and mark.digest == one.digest}

    def missing(
        self, made: Sequence[Mutant], versions: dict[str, str], first: int | None = None
    ) -> list[Mutant]:
        """Those to mark now: all that survived earlier checks, and `first` of the others.

        Of these at first those without a mark, then what earlier checks have killed.
        """
        marks = self.of(made)
        stale = [m for m in made if m.id in marks and marks[m.id].version != versions[m.slug]]
        survived = [one for one in stale if marks[one.id].survived]
        unmarked = [one for one in made[:first] if one.id not in marks]
        among_first = {one.id for one in made[:first]}
        killed = [m for m in stale if not marks[m.id].survived and m.id in among_first]
        return survived + unmarked + killed

    def add(self, mutant: Mutant, mark: Mark) -> None:
        """Keep a mark: it is in the file before the next comes."""
        self.by_id[mutant.id] = mark
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps([mutant.id, *astuple(mark)], ensure_ascii=False)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _whole_lines(path: Path) -> list[str]:
    """The lines of the file; one that was torn when a run was ended is cut off."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return whole.splitlines()


async def _mark(todo: Sequence[Mutant], rooms: Iterable[Room], marks: Marks) -> None:
    """Mark them as a class is marked, some at a time, and keep each mark as it comes."""
    if not todo:
        return
    exercises = {room.slug: exercise(room) for room in rooms}
    doubtful: list[Mutant] = []
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    waiting = iter(todo)
    with Progress("marking", *columns, console=Console(stderr=True)) as bar:
        shown = bar.add_task("marking", total=len(todo))

        async def hand(sandbox: Sandbox, busy: Busy, given: Iterable[Mutant]) -> None:
            for mutant in given:
                task, since = exercises[mutant.slug], busy.now()
                with suppress(NotRun):  # the machine is short of something: it has no mark yet
                    killer = await _killer(task, mutant.source, sandbox)
                    if sandbox.lost:
                        raise RuntimeError("the process that starts the answers has ended")
                    if killer and busy.seen_since(since):
                        doubtful.append(mutant)
                        continue
                    marks.add(mutant, Mark(mutant.digest, task.version, killer))
                bar.advance(shown)

        async with Sandbox(slots=WORKERS * SLOTS) as sandbox, Busy() as busy:
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            async with asyncio.TaskGroup() as group:
                for _ in range(WORKERS * ANSWERS_AT_A_TIME):
                    group.create_task(hand(sandbox, busy, waiting))
            again, doubtful = doubtful, []
            await hand(sandbox, busy, again)
            if doubtful:
                print(f"{len(doubtful):,} have no mark: the machine is too busy.", file=sys.stderr)


class Busy:
    """Whether the machine is too busy for this process's loop to keep time: `async with`."""

    def __init__(self) -> None:
        self._last = float("-inf")

    async def __aenter__(self) -> Busy:
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            begun = self.now()
            await asyncio.sleep(TICK)
            if self.now() - begun > TICK + LATE:
                self._last = self.now()

    @staticmethod
    def now() -> float:
        """Seconds, by the loop."""
        return asyncio.get_running_loop().time()

    def seen_since(self, moment: float) -> bool:
        """Whether it was too busy at any time since then."""
        return self._last >= moment


async def _killer(task: Exercise, source: str, sandbox: Sandbox) -> str:
    """The first criterion that the answer fails; '' when it has full marks.

    A failure that is certain ends the marking, unless the machine was too busy to be sure.

    Raises:
        NotRun: it could not be marked here and now.
    """
    exam = Exam(sandbox, Code((source,), task.needed, task.given, task.inside))
    failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def hear(verdict: Verdict) -> None:
        if not (verdict.passed or exam.findings.starved or failed.done()):
            failed.set_result(verdict.name)

    judging = asyncio.create_task(Judging(task.scenarios, exam, hear).verdicts())
    try:
        both: tuple[asyncio.Future[Any], ...] = (judging, failed)
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            return failed.result()
        verdicts = judging.result()
    finally:
        judging.cancel()
        await asyncio.gather(judging, return_exceptions=True)
    if exam.findings.first_load.reason:
        return task.criteria[0].name
    return next((verdict.name for verdict in verdicts if not verdict.passed), "")


# --- explanations -----------------------------------------------------------------------------

_LINE = re.compile(r"^- ([a-z, ]+): `(.+?)`(?: \(([\w, ]+)\))? — (.+)$")


def explanations(rooms: Iterable[Room]) -> list[Explanation]:
    """What the files beside the exercises say.

    A line is `- OPERATOR, OPERATOR: `PATTERN` (ANSWER, ANSWER) — REASON`; the pattern, a regular
    expression, is looked for in the lines of a diff, the answers may be left out.

    Raises:
        RuntimeError: a line is not so.
    """
    return [one for room in rooms for one in _explained(room.slug, room.folder / EXPLAINED)]


def _explained(slug: str, path: Path) -> Iterator[Explanation]:
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    for line in re.sub(r"\n  +", " ", text).splitlines():
        if not line.startswith("- "):
            continue
        parts = _LINE.match(line)
        if not parts:
            raise RuntimeError(f"{path}: not OPERATORS: `PATTERN` — REASON: {line}")
        operators, pattern, answers, reason = parts.groups()
        yield Explanation(
            slug,
            frozenset(operators.split(", ")),
            re.compile(pattern, re.MULTILINE),
            frozenset(answers.split(", ") if answers else ()),
            reason,
        )


def unexplained(survivors: Iterable[Mutant], known: Sequence[Explanation]) -> list[Mutant]:
    """Those that no explanation fits."""
    return [one for one in survivors if not any(why.fits(one) for why in known)]


# --- what is written --------------------------------------------------------------------------


def report(
    made: Sequence[Mutant],
    marks: dict[str, Mark],
    versions: dict[str, str],
    known: Sequence[Explanation],
) -> Report:
    """What was made, killed and survived, and why each survivor did."""
    survivors = [one for one in made if one.id in marks and marks[one.id].survived]
    gaps = unexplained(survivors, known)
    earlier = sum(marks[m.id].version != versions[m.slug] for m in made if m.id in marks)
    killed = len(marks) - len(survivors)
    tables = {
        "Survived and not explained": [_shown(one) for one in gaps],
        "Operators": _counted(made, marks, "operator"),
        "Survived, and why": _reasons(survivors, known),
        "Each survivor": [_shown(one) for one in sorted(survivors, key=lambda one: one.id)],
    }
    return Report(
        "Mutants: one small change in a right answer",
        _counted(made, marks, "slug"),
        notes=[
            f"{len(made):,} mutants were made of the right answers of {len(versions)} exercises, "
            f"{len(marks):,} were marked, {killed:,} lost points and {len(survivors):,} kept full "
            f"marks. {len(survivors) - len(gaps):,} of these are explained in the exercise's "
            f"`{EXPLAINED}` (what of the contract they do not change), {len(gaps):,} are not.",
            f"{earlier:,} of the marks are of earlier versions of the checks. The exercise "
            f"`{'`, `'.join(NOT_HERE)}` is left out: its answers are tests, and the apps that "
            "judge them are changed right answers themselves.",
        ],
        tables={heading: rows for heading, rows in tables.items() if rows},
        figures={
            "made": len(made),
            "marked": len(marks),
            "killed": killed,
            "survived": len(survivors),
            "survived and not explained": len(gaps),
            "marked by earlier checks": earlier,
        },
    )


def _counted(made: Sequence[Mutant], marks: dict[str, Mark], by: str) -> list[Row]:
    count: dict[str, Counter[str]] = defaultdict(Counter)
    for one in made:
        row = count[getattr(one, by)]
        row["made"] += 1
        if mark := marks.get(one.id):
            row["marked"] += 1
            row["survived" if mark.survived else "killed"] += 1
    heading = {"slug": "exercise", "operator": "operator"}[by]
    columns = ("made", "marked", "killed", "survived")
    return [{heading: name} | {c: row[c] for c in columns} for name, row in sorted(count.items())]


def _reasons(survivors: Sequence[Mutant], known: Sequence[Explanation]) -> list[Row]:
    return [
        {
            "exercise": why.slug,
            "survivors": sum(why.fits(one) for one in survivors),
            "why": why.reason,
        }
        for why in known
    ]


def _shown(mutant: Mutant) -> Row:
    diff = mutant.diff.replace("|", "\\|").replace("\n", "` `")
    return {"mutant": mutant.id, "change": f"`{diff}`"}
