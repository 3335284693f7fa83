"""Judge an answer by all criteria: side by side, in as few processes as they can share."""

from __future__ import annotations

import asyncio
import inspect
import os
import traceback
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from unblocked.grading.checks.exam import AnswerError, Criterion, Exam, Failed, Gone
from unblocked.grading.checks.waiting import DOUBT, IDLE
from unblocked.grading.judge.shared import SharedExam
from unblocked.grading.sandbox.run import NotRun, is_shortage
from unblocked.grading.sandbox.slots import RANK, Rank

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    Look = Callable[[], Coroutine[Any, Any, "Verdict"]]

LONGEST = 2000
"""Characters of a criterion's message."""


@dataclass(frozen=True)
class Verdict:
    """How one criterion went."""

    name: str
    passed: bool
    points: int
    max_points: int
    message: str
    stuck: bool = False
    """It failed because nothing happened any more, not because something wrong was seen."""
    certain: bool = True
    """Another look can show nothing else: not so when it failed because patience ran out."""

    @classmethod
    def on(cls, criterion: Criterion, passed: bool, message: str) -> Verdict:
        """The verdict on a criterion: all its points, or none."""
        points = criterion.points if passed else 0
        return cls(criterion.name, passed, points, criterion.points, plain(message))

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a result."""
        return {n: value for n, value in asdict(self).items() if n not in ("stuck", "certain")}


def plain(text: str) -> str:
    """Text that is safe to print and to write: an answer may have had its hand in it.

    Control characters could steer a terminal, lone surrogates are no UTF-8.
    """
    shown = (
        c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text[:LONGEST]
    )
    return "".join(shown)


class Judging:
    """The criteria of one answer, each judged until its verdict is certain.

    What failed while the machine was too busy is judged again, alone. With `second_look`, a
    criterion at which patience runs out gets one beside it, until one such failure is confirmed.
    """

    def __init__(
        self,
        criteria: Sequence[Criterion],
        exam: Exam,
        on_verdict: Callable[[Verdict], None],
        *,
        second_look: bool,
    ) -> None:
        self.criteria, self.exam, self.on_verdict = criteria, exam, on_verdict
        self.doubts = Doubts() if second_look else None
        self._verdicts: dict[Criterion, Verdict] = {}

    async def verdicts(self) -> list[Verdict]:
        """All verdicts; only those there are when the answer cannot even be executed.

        Raises:
            NotRun: the marker could not do its part, so nothing can be said about the answer.
        """
        try:
            await self._all_criteria()
        except ExceptionGroup as errors:
            raise _first_not_run(errors) or errors from None
        if self.exam.starved:
            await self._look_again()
        return [self._verdicts[c] for c in self.criteria if c in self._verdicts]

    async def _all_criteria(self) -> None:
        first, *others = _sequences(self.criteria)
        async with asyncio.TaskGroup() as self.group:
            await self._in_sequence(first, Rank.NEW, others)

    async def _in_sequence(
        self, criteria: Sequence[Criterion], rank: Rank, others: Sequence[Sequence[Criterion]] = ()
    ) -> None:
        """Judge criteria in one process as long as each leaves it in order: the rest get another.

        They and other sequences begin when the first criterion has been judged, or will wait.
        """
        RANK.set(rank)
        if self.exam.first_load.reason:
            return
        head, *rest = criteria
        if not rest:
            await self._first(head, partial(_judge, head, self.exam), rest, others)
            return
        async with SharedExam(self.exam) as shared:
            look = partial(_first_look, head, shared, self.exam)
            if await self._first(head, look, rest, others):
                await self._followers(rest, shared)

    def _begin(self, rank: Rank, *sequences: Sequence[Criterion]) -> None:
        for sequence in filter(None, sequences):
            self.group.create_task(self._in_sequence(sequence, rank))

    async def _first(
        self,
        head: Criterion,
        look: Look,
        rest: Sequence[Criterion],
        others: Sequence[Sequence[Criterion]],
    ) -> bool:
        """Judge the first one; whether the rest may follow it, and has not begun elsewhere."""
        idle = asyncio.Event()
        judged = self.group.create_task(self._judged(head, look, idle))
        idles = self.group.create_task(idle.wait())
        await asyncio.wait([judged, idles], return_when=asyncio.FIRST_COMPLETED)
        waits = idle.is_set()
        passed = not waits and (await judged).passed
        idles.cancel()
        self._begin(Rank.LAST if passed else Rank.FAILING, rest if waits else [], *others)
        await judged
        return not waits

    async def _judged(self, criterion: Criterion, look: Look, idle: asyncio.Event) -> Verdict:
        doubtful = asyncio.Event()
        IDLE.set(idle.set)
        DOUBT.set(doubtful.set)
        again = partial(_judge, criterion, self.exam)
        verdict = await (self.doubts.judged(look, again, doubtful) if self.doubts else look())
        self._give(criterion, verdict)
        return verdict

    async def _followers(self, criteria: Sequence[Criterion], shared: SharedExam) -> None:
        for number, criterion in enumerate(criteria):
            if not shared.in_order:
                self._begin(Rank.FAILING, criteria[number:])
                return
            shared.follow()
            verdict = await _judge(criterion, shared)
            if verdict.passed:
                self._give(criterion, verdict)
            elif shared.in_order and not verdict.stuck:
                self._begin(Rank.FAILING, [criterion])
            else:
                self._begin(Rank.FAILING, [criterion, *criteria[number + 1 :]])
                return

    def _give(self, criterion: Criterion, verdict: Verdict) -> None:
        if not self.exam.first_load.reason:
            self._verdicts[criterion] = verdict
            self.on_verdict(verdict)

    async def _look_again(self) -> None:
        """Judge again, one at a time, what may have failed for want of CPU."""
        self.exam.ruled_out.clear()
        for criterion, verdict in list(self._verdicts.items()):
            if not verdict.passed:
                self._give(criterion, await _judge(criterion, self.exam))


def _first_not_run(errors: BaseExceptionGroup[Any]) -> BaseException | None:
    """The first `NotRun` that is among them, in whatever group, or None."""
    found: BaseException | None = errors.subgroup(NotRun)
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


def _sequences(criteria: Sequence[Criterion]) -> list[list[Criterion]]:
    """Those that may share a process behind the first that needs a fresh one; the others alone."""
    fresh = [c for c in criteria if c.fresh]
    shared = [c for c in criteria if not c.fresh]
    alone = [[c] for c in fresh[1:]]
    return [[*fresh[:1], *shared], *alone]


class Doubts:
    """Second looks at criteria where patience runs out: one at a time, until one is confirmed.

    A second look begins when the first has waited for a while, as that costs no time of its own.
    """

    def __init__(self) -> None:
        self.turn, self.confirmed = asyncio.Lock(), False

    async def judged(
        self,
        look: Look,
        again: Look,
        doubtful: asyncio.Event,
    ) -> Verdict:
        """The verdict; `doubtful` is set when the first look has waited for a while."""
        first = asyncio.create_task(look())
        second = asyncio.create_task(self._second(doubtful, first, again))
        try:
            verdict = await first
            if verdict.certain:
                return verdict
            doubtful.set()
            return await second
        finally:
            for task in (first, second):
                task.cancel()
            await asyncio.gather(first, second, return_exceptions=True)

    async def _second(
        self,
        doubtful: asyncio.Event,
        first: asyncio.Task[Verdict],
        look: Look,
    ) -> Verdict:
        await doubtful.wait()
        async with self.turn:
            if self.confirmed:
                return await first
            RANK.set(Rank.SECOND_LOOK)
            again = await look()
            self.confirmed = not again.passed and not (await first).passed
            return again


async def _first_look(criterion: Criterion, shared: SharedExam, exam: Exam) -> Verdict:
    verdict = await _judge(criterion, shared)
    if not verdict.passed:
        if verdict.stuck or not shared.in_order:
            await shared.end()  # its slot is needed for a second look
        exam.starved |= shared.was_starved
        exam.out_of_memory |= shared.out_of_memory
    return verdict


async def _judge(criterion: Criterion, exam: Exam) -> Verdict:
    try:
        return Verdict.on(criterion, True, await criterion.judge(exam))
    except Failed as failure:
        verdict = Verdict.on(criterion, False, str(failure))
        return replace(verdict, stuck=failure.stuck, certain=failure.certain)
    except AnswerError as error:
        return Verdict.on(criterion, False, f"Your app did not start: {str(error).rstrip(': ')}")
    except Gone as gone:
        return Verdict.on(criterion, False, f"Your app's process ended. {gone}".strip())
    except NotRun:
        raise
    except Exception as error:
        if is_shortage(error):
            raise NotRun(f"the marker ran short: {error}") from error
        return Verdict.on(criterion, False, _what_failed(criterion, error)[:400])


def _what_failed(criterion: Criterion, error: Exception) -> str:
    """Whose fault an error is: a reply that is no HTTP is the answer's, one in a check its own."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    checks = inspect.getfile(criterion.judge)
    if last.filename != checks or isinstance(error, OSError):
        return f"Your app could not be called: {error!r}"
    where = f"{os.path.basename(checks)}, line {last.lineno}"
    return f"This check failed itself ({where}: {error!r}). Tell whoever gave you the exercise."
