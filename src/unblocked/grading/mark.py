"""Mark one answer: run every criterion of its exercise and add up the points."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import psutil

from unblocked.grading import isolation
from unblocked.grading.channel import ChannelClosed
from unblocked.grading.exam import DOUBT, AnswerError, Criterion, Exam, Failed, Gone
from unblocked.grading.slots import RANK, Rank

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from unblocked.course import Room
    from unblocked.grading.sandbox import Nursery

Result = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """How one criterion went."""

    name: str
    passed: bool
    points: int
    max_points: int
    message: str
    waited: bool = False
    """It failed because nothing happened any more, not because something wrong was seen."""

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a result."""
        return {name: value for name, value in asdict(self).items() if name != "waited"}


@dataclass(frozen=True)
class Exercise:
    """A room as the grader needs it: its criteria and what the answer's process is given."""

    slug: str
    needed: str
    criteria: tuple[Criterion, ...]
    given: str
    inside: str
    version: str

    @property
    def max_points(self) -> int:
        return sum(criterion.points for criterion in self.criteria)


def exercise(room: Room) -> Exercise:
    """Load a room's checks.

    `checks.py` may set `NEEDED`, the name an answer must define (`app` when unset).
    """
    spec = importlib.util.spec_from_file_location(f"checks_{room.slug}", room.checks)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    criteria = tuple(v for v in vars(module).values() if isinstance(v, Criterion))
    given, inside = (_text(room, name) for name in ("given.py", "inside.py"))
    seal = hashlib.sha256("\0".join([room.checks.read_text("utf-8"), given, inside]).encode())
    return Exercise(
        room.slug,
        getattr(module, "NEEDED", "app"),
        criteria,
        given,
        inside,
        f"{version('unblocked')}+{seal.hexdigest()[:12]}",
    )


def _text(room: Room, name: str) -> str:
    path = room.folder / name
    return path.read_text("utf-8") if path.is_file() else ""


async def mark(
    task: Exercise,
    source: str,
    nursery: Nursery,
    *,
    note: str = "",
    on_verdict: Callable[[Verdict], None] = lambda _: None,
    second_look: bool = False,
) -> Result:
    """Judge an answer by every criterion; whatever it does, there is a mark and a reason.

    What failed while the machine was too busy is judged again, alone. With `second_look`, a
    criterion at which patience runs out gets one beside it, until one such failure is confirmed.
    """
    started = time.monotonic()
    exam = Exam(nursery, source, task.given, task.inside)
    outcome, reason = await _try_to_load(exam)
    reason = plain(reason)
    if outcome == "graded":
        verdicts = await _judge_all(task, exam, on_verdict, second_look=second_look)
        if exam.starved:
            verdicts = await _look_again(task, exam, verdicts, on_verdict)
        outcome = "out-of-memory" if exam.out_of_memory else outcome
    else:
        verdicts = [_verdict(c, False, reason) for c in task.criteria]
        for verdict in verdicts:
            on_verdict(verdict)
    return result(task, verdicts, outcome, nursery.rung, time.monotonic() - started, note)


def result(
    task: Exercise,
    verdicts: Iterable[Verdict],
    outcome: str,
    rung: str,
    seconds: float = 0.0,
    note: str = "",
) -> Result:
    """The object that `unblocked check --json` prints."""
    checks = [verdict.as_dict() for verdict in verdicts]
    made: Result = {
        "exercise": task.slug,
        "points": sum(check["points"] for check in checks),
        "max_points": task.max_points,
        "outcome": outcome,
        "checks": checks,
        "isolation": rung,
        "seconds": round(seconds, 3),
        "course_version": task.version,
    }
    return {**made, "note": note} if note else made


def no_answer(task: Exercise, reason: str) -> Result:
    """The result for a submission without an answer."""
    return gave_up(task, reason, "no-answer")


def gave_up(task: Exercise, reason: str, outcome: str = "crashed") -> Result:
    """The result for a submission of which nothing could be judged."""
    verdicts = [_verdict(c, False, reason) for c in task.criteria]
    return result(task, verdicts, outcome, "none")


LONGEST = 2000
"""Characters of a criterion's message."""


def plain(text: str) -> str:
    """Text that is safe to print and to write: an answer may have had its hand in it.

    Control characters could steer a terminal, lone surrogates are no UTF-8.
    """
    shown = (
        c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text[:LONGEST]
    )
    return "".join(shown)


async def _load_once(exam: Exam) -> tuple[str, str]:
    """Execute the answer once, so that one that cannot run is told so once."""
    async with exam.run() as app:
        app.bind(**_placeholders())
        try:
            await app.load()
        except AnswerError as error:
            memory = str(error).startswith("MemoryError")
            return ("out-of-memory" if memory else "crashed"), f"Your code raised {error}"
        except TimeoutError:
            return "timeout", "Your code did not come to its end when it was executed."
        except Gone:
            return _how_it_went(app.process.pid, app.process.killed_for_memory)
    return "graded", ""


async def _try_to_load(exam: Exam) -> tuple[str, str]:
    try:
        return await _load_once(exam)
    except (Gone, OSError, ChannelClosed) as error:
        return "crashed", f"Your code could not be executed: {error!r}"


def _placeholders() -> dict[str, Any]:
    """Names bound to something harmless, for the trial run that only executes the answer."""
    nowhere = "http://127.0.0.1:9"
    names: dict[str, Any] = dict.fromkeys(("URL", "UPSTREAM"), nowhere)
    sources = {"alpha": nowhere, "beta": nowhere}
    return names | {
        "TOKEN": "t",
        "SOURCES": sources,
        "DEADLINE": 1.0,
        "PER_SOURCE": 2,
        "CAPACITY": 4,
    }


def _how_it_went(pid: int, for_memory: bool) -> tuple[str, str]:
    if for_memory:
        return "out-of-memory", "Your code took more than 1 GiB of memory and was stopped."
    if _cpu_seconds(pid) >= isolation.STANDARD["cpu"] - 1:
        return "timeout", "Your code computed without end when it was executed, and was stopped."
    return "crashed", "Your code ended its own process when it was executed."


def _cpu_seconds(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    except psutil.Error:
        return 0.0


async def _judge_all(
    task: Exercise, exam: Exam, on_verdict: Callable[[Verdict], None], *, second_look: bool
) -> list[Verdict]:
    doubts = _Doubts()

    async def judged(criterion: Criterion) -> Verdict:
        RANK.set(Rank.NEW)
        look = partial(_judge, criterion, exam)
        verdict = await (doubts.judged(look) if second_look else look())
        on_verdict(verdict)
        return verdict

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(judged(criterion)) for criterion in task.criteria]
    return [task.result() for task in tasks]


class _Doubts:
    """Second looks at criteria where patience runs out: one at a time, until one is confirmed.

    A second look begins when the first has waited for a while, as that costs no time of its own.
    """

    def __init__(self) -> None:
        self.turn, self.confirmed = asyncio.Lock(), False

    async def judged(self, look: Callable[[], Coroutine[Any, Any, Verdict]]) -> Verdict:
        doubtful = asyncio.Event()
        DOUBT.set(doubtful.set)
        first = asyncio.create_task(look())
        second = asyncio.create_task(self._second(doubtful, first, look))
        try:
            verdict = await first
            doubtful.set()
            return await second if verdict.waited else verdict
        finally:
            for task in (first, second):
                task.cancel()
            await asyncio.gather(first, second, return_exceptions=True)

    async def _second(
        self,
        doubtful: asyncio.Event,
        first: asyncio.Task[Verdict],
        look: Callable[[], Awaitable[Verdict]],
    ) -> Verdict:
        await doubtful.wait()
        async with self.turn:
            if self.confirmed:
                return await first
            RANK.set(Rank.SECOND_LOOK)
            again = await look()
            self.confirmed = not again.passed and not (await first).passed
            return again


async def _look_again(
    task: Exercise, exam: Exam, verdicts: list[Verdict], on_verdict: Callable[[Verdict], None]
) -> list[Verdict]:
    """Judge again, one at a time, what failed for want of CPU, until one is confirmed."""
    revised = list(verdicts)
    for index, verdict in enumerate(verdicts):
        if verdict.passed:
            continue
        exam.starved = False
        revised[index] = await _judge(task.criteria[index], exam)
        on_verdict(revised[index])
        if not revised[index].passed and not exam.starved:
            break
    return revised


async def _judge(criterion: Criterion, exam: Exam) -> Verdict:
    try:
        return _verdict(criterion, True, await criterion.judge(exam))
    except Failed as failure:
        return replace(_verdict(criterion, False, str(failure)), waited=failure.waited)
    except AnswerError as error:
        return _verdict(criterion, False, f"Your app did not start: {str(error).rstrip(': ')}")
    except Gone as gone:
        return _verdict(criterion, False, f"Your app's process ended. {gone}".strip())
    except Exception as error:  # a reply that is no HTTP, a connection reset: the answer's doing
        return _verdict(criterion, False, f"Your app could not be called: {error!r}"[:400])


def _verdict(criterion: Criterion, passed: bool, message: str) -> Verdict:
    points = criterion.points if passed else 0
    return Verdict(criterion.name, passed, points, criterion.points, plain(message))
