"""Judges an answer by all criteria; those that are in doubt are judged once more, alone."""

from __future__ import annotations

import asyncio
import os
import traceback
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from unblocked.grading.checks.exam import Exam, Facts
from unblocked.grading.checks.expect import Failed
from unblocked.grading.sandbox.run import AnswerError, Gone, NotRun, is_shortage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from unblocked.grading.checks.exam import Criterion, Scenario

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

    @classmethod
    def on(cls, criterion: Criterion, passed: bool, message: str) -> Verdict:
        """Return the verdict on a criterion: all its points, or none."""
        points = criterion.points if passed else 0
        return cls(criterion.name, passed, points, criterion.points, plain(message))

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as it stands in a result."""
        return asdict(self)


def plain(text: str) -> str:
    """Return text that is safe to print and to write, whatever an answer put into it.

    Control characters could steer a terminal, lone surrogates are no UTF-8.
    """
    shown = (
        c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text[:LONGEST]
    )
    return "".join(shown)


class Judging:
    """The scenarios of one answer, each played until its verdicts are certain.

    A scenario that failed on a machine that was too busy, or only because a wait was given up, is
    played once more, alone. `on_verdict` is called with each verdict as it comes; `on_doubt` is
    called with the number of criteria before they are judged a second time.
    """

    def __init__(
        self,
        scenarios: Sequence[Scenario],
        exam: Exam,
        on_verdict: Callable[[Verdict], None],
        on_doubt: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.scenarios, self.exam = scenarios, exam
        self.on_verdict, self.on_doubt = on_verdict, on_doubt
        self._told: dict[str, Exception | str] = {}

    async def verdicts(self) -> list[Verdict]:
        """Return all verdicts, in the order of the criteria.

        Raises:
            NotRun: the marker could not do its part, so nothing can be said about the answer.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for scenario in self._having(last=False):
                    group.create_task(self._play(scenario))
        except ExceptionGroup as errors:
            # Scenarios run side by side, so the error comes in a group; callers know only `NotRun`.
            raise _first_not_run(errors) or errors from None

        await self._play_again()
        for scenario in self._having(last=True):
            await self._play(scenario)
            self._tell(scenario)

        made = [self._verdict(c) for s in self.scenarios for c in s.criteria]
        return [] if self.exam.findings.first_load.reason else made

    def _having(self, *, last: bool) -> list[Scenario]:
        return [scenario for scenario in self.scenarios if scenario.last is last]

    async def _play(self, scenario: Scenario) -> None:
        if self.exam.findings.first_load.reason:
            return
        self._told |= await played(scenario, self.exam)
        if not scenario.last and not self._in_doubt(scenario):
            self._tell(scenario)

    async def _play_again(self) -> None:
        """Play again, one at a time, what may have failed for want of CPU or of patience."""
        doubtful = [s for s in self._having(last=False) if self._in_doubt(s)]
        # If the whole machine had too little CPU, every failure is in doubt, not only those by
        # timeout.
        starved = self.exam.findings.starved
        failed = [s for s in self._having(last=False) if starved and self._failed(s)]
        again = [s for s in self._having(last=False) if s in doubtful or s in failed]
        if again and not self.exam.findings.first_load.reason:
            self.on_doubt(sum(len(s.criteria) for s in again))
        for scenario in again:
            if self.exam.findings.first_load.reason:
                return
            self._told |= await played(scenario, self.exam)
            self._tell(scenario)

    def _failed(self, scenario: Scenario) -> bool:
        return any(not isinstance(self._told.get(c.name), str) for c in scenario.criteria)

    def _in_doubt(self, scenario: Scenario) -> bool:
        """Return whether one of the scenario's failures may have come from a busy machine."""
        found = (self._told.get(criterion.name) for criterion in scenario.criteria)
        return any(isinstance(what, Failed) and not what.certain for what in found)

    def _tell(self, scenario: Scenario) -> None:
        if not self.exam.findings.first_load.reason:
            for criterion in scenario.criteria:
                self.on_verdict(self._verdict(criterion))

    def _verdict(self, criterion: Criterion) -> Verdict:
        told = self._told.get(criterion.name, "")
        if isinstance(told, str):
            return Verdict.on(criterion, criterion.name in self._told, told or criterion.passed)
        return Verdict.on(criterion, False, str(told))


def _first_not_run(errors: BaseExceptionGroup[Any]) -> BaseException | None:
    """Return the first `NotRun` in a group of errors, however deep, or None."""
    found: BaseException | None = errors.subgroup(NotRun)
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


async def played(scenario: Scenario, exam: Exam) -> dict[str, Exception | str]:
    """Play a scenario; return for each of its criteria the sentence or the failure.

    Raises:
        NotRun: the marker could not do its part.
    """
    facts = Facts()
    try:
        await scenario.play(exam, facts)
    except NotRun:
        raise
    except Exception as error:
        if is_shortage(error):
            raise NotRun(f"the marker ran short: {error}") from error
        _fail_the_rest(scenario.criteria, facts, _as_failure(scenario, error))
    _fail_the_rest(scenario.criteria, facts, NotJudged())
    return facts.told


class NotJudged(Exception):
    """A scenario ended without a verdict on a criterion."""

    def __str__(self) -> str:
        return "This check failed itself: nothing was judged. Tell whoever gave you the exercise."


def _fail_the_rest(criteria: Iterable[Criterion], facts: Facts, error: Exception) -> None:
    for criterion in criteria:
        facts.told.setdefault(criterion.name, error)


def _as_failure(scenario: Scenario, error: Exception) -> Exception:
    """Return the error in the words that the learner reads; a `Failed` stays as it is."""
    match error:
        case Failed():
            return error
        case AnswerError():
            return Exception(f"Your app did not start: {str(error).rstrip(': ')}")
        case Gone():
            return Exception(f"Your app's process ended. {error}".strip())
        case _:
            return Exception(_whose_fault(scenario, error)[:400])


def _whose_fault(scenario: Scenario, error: Exception) -> str:
    """Return a sentence that says whether the app or the check itself caused an error."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    if last.filename != scenario.checks or isinstance(error, OSError):
        return f"Your app could not be called: {error!r}"
    where = f"{os.path.basename(scenario.checks)}, line {last.lineno}"
    return f"This check failed itself ({where}: {error!r}). Tell whoever gave you the exercise."
