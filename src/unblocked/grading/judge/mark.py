"""Mark one answer: run every criterion of its exercise and add up the points."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unblocked.course import CourseError
from unblocked.grading.checks.exam import Criterion, Exam, Scenario
from unblocked.grading.judge.judging import Judging, Verdict
from unblocked.grading.judge.versions import course_version, text_of
from unblocked.grading.sandbox.run import Code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from unblocked.course import Room
    from unblocked.grading.sandbox.pool import Sandbox

Result = dict[str, Any]


@dataclass(frozen=True)
class Exercise:
    """A room as the grader needs it: its scenarios and what the answer's process is given."""

    slug: str
    needed: str
    scenarios: tuple[Scenario, ...]
    given: str
    inside: str
    version: str

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """All criteria, in the order of the scenarios."""
        return tuple(criterion for scenario in self.scenarios for criterion in scenario.criteria)

    @property
    def max_points(self) -> int:
        return sum(criterion.points for criterion in self.criteria)


def exercise(room: Room) -> Exercise:
    """Load a room's checks.

    `checks.py` may set `NEEDED`, the name an answer must define (`app` when unset).

    Raises:
        CourseError: they cannot be loaded.
    """
    spec = importlib.util.spec_from_file_location(f"checks_{room.slug}", room.checks)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)

    try:
        spec.loader.exec_module(module)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise CourseError(f"{room.checks} cannot be loaded: {why}.") from error

    # In the order in which checks.py defines them, which is that of its criteria.
    scenarios = tuple(v for v in vars(module).values() if isinstance(v, Scenario))
    given, inside = (text_of(room, name) for name in ("given.py", "inside.py"))
    needed = getattr(module, "NEEDED", "app")
    return Exercise(room.slug, needed, scenarios, given, inside, course_version(room))


async def mark(
    task: Exercise,
    answer: str | Sequence[str],
    sandbox: Sandbox,
    *,
    on_verdict: Callable[[Verdict], None] = lambda _: None,
    on_doubt: Callable[[int], None] = lambda _: None,
) -> Result:
    """Judge an answer by every criterion. Whatever it does, there is a mark and a reason.

    `answer` is its code, or its cells when there are several.
    `on_doubt` hears how many criteria are about to be judged a second time.
    """
    started = time.monotonic()
    cells = (answer,) if isinstance(answer, str) else tuple(answer)
    exam = Exam(sandbox, Code(cells, task.needed, task.given, task.inside))
    verdicts = await Judging(task.scenarios, exam, on_verdict, on_doubt).verdicts()
    outcome, reason = exam.findings.first_load.outcome, exam.findings.first_load.reason

    if reason:
        verdicts = _all_failed(task, reason)
        for verdict in verdicts:
            on_verdict(verdict)
    elif exam.findings.out_of_memory:
        outcome = "out-of-memory"

    return result(
        task, verdicts, outcome, sandbox.level, time.monotonic() - started, exam.findings.note
    )


def result(
    task: Exercise,
    verdicts: Iterable[Verdict],
    outcome: str,
    level: str,
    seconds: float = 0.0,
    note: str = "",
) -> Result:
    """Return the object that `unblocked check --json` prints."""
    checks = [verdict.as_dict() for verdict in verdicts]
    made: Result = {
        "exercise": task.slug,
        "points": sum(check["points"] for check in checks),
        "max_points": task.max_points,
        "outcome": outcome,
        "checks": checks,
        "isolation": level,
        "seconds": round(seconds, 3),
        "course_version": task.version,
    }
    return {**made, "note": note} if note else made


def no_answer(task: Exercise, reason: str) -> Result:
    """Return the result for a submission without an answer."""
    return gave_up(task, reason, "no-answer")


def gave_up(task: Exercise, reason: str, outcome: str = "crashed") -> Result:
    """Return the result for a submission of which nothing could be judged."""
    verdicts = _all_failed(task, reason)
    return result(task, verdicts, outcome, "none")


def _all_failed(task: Exercise, reason: str) -> list[Verdict]:
    """Return a failed verdict for every criterion; the first one tells the reason."""
    first, *others = task.criteria
    not_judged = "Not judged, for the reason that is told with the first criterion."
    return [
        Verdict.on(first, False, reason),
        *(Verdict.on(criterion, False, not_judged) for criterion in others),
    ]
