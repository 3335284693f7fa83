"""A deadline that strikes gives way to a later one on a machine that is too busy for it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from unblocked import course
from unblocked.grading.checks import deadlines
from unblocked.grading.checks.app import App
from unblocked.grading.checks.deadlines import DEADLINES, LATEST, Hurried, Watch, near_a_deadline
from unblocked.grading.checks.exam import LOOP_TURNS, Exam, Failed
from unblocked.grading.judge.mark import exercise
from unblocked.grading.sandbox.pool import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WRONG = {"called": "", "saw": "", "expected": ""}


@dataclass
class Machine:
    """Its clock runs on while an app's loop turns, and only then."""

    turns_take: float
    now: float = 0.0
    asked: list[float] = field(default_factory=list)
    lulls: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    async def turn(self, times: int) -> None:
        self.now += self.turns_take * times / LOOP_TURNS

    @asynccontextmanager
    async def scene(self, deadline: float) -> AsyncIterator[Any]:
        self.asked.append(deadline)
        app = SimpleNamespace(turn=self.turn, lull=0.0)
        yield SimpleNamespace(app=app)
        self.lulls.append(app.lull)


@pytest.fixture
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(request.param)
    monkeypatch.setattr(deadlines, "time", made)
    return made


async def hurried(_: object) -> str:
    raise Hurried(**WRONG)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [(0.01, list(DEADLINES)), (2.0, [1.0, 10.0, 10.0]), (60.0, [1.0, LATEST, LATEST])],
    indirect=["machine"],
)
def test_the_next_deadline_is_late_enough_for_the_machine(
    machine: Machine, expected: list[float]
) -> None:
    with pytest.raises(Hurried):
        asyncio.run(near_a_deadline(machine.scene, hurried))
    assert machine.asked == machine.lulls == pytest.approx(expected)


@pytest.mark.parametrize("machine", [0.01], indirect=True)
def test_what_is_wrong_at_one_deadline_is_wrong(machine: Machine) -> None:
    async def wrong(_: object) -> str:
        raise Failed(**WRONG)

    with pytest.raises(Failed):
        asyncio.run(near_a_deadline(machine.scene, wrong))
    assert machine.asked == [DEADLINES[0]]


@pytest.mark.parametrize("machine", [2.0], indirect=True)
def test_it_passes_once_the_deadline_is_late_enough(machine: Machine) -> None:
    async def passes_late(_: object) -> str:
        return "in time" if machine.asked[-1] > 9 else await hurried(_)

    assert asyncio.run(near_a_deadline(machine.scene, passes_late)) == "in time"


@pytest.mark.parametrize("name", ["solution.py", "wrong/timeout_of_the_client.py"])
def test_on_a_machine_that_is_too_busy_the_loop_tells_a_deadline_from_timeouts_of_pieces(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real deadline passes every answer here, as it may where pieces come too late."""
    room = course.room("partial-failure")
    task = exercise(room)
    [whole] = [c for c in task.criteria if c.name == "the deadline bounds the whole call"]
    waited = count(0.0, 100.0)
    monkeypatch.setattr(App, "waited_for_cpu", lambda _: next(waited))
    monkeypatch.setitem(whole.judge.__globals__, "expect", lambda made, *_: None)
    monkeypatch.setitem(whole.judge.__globals__, "in_time", lambda *_: None)

    async def failure() -> str:
        async with Sandbox() as sandbox:
            exam = Exam(sandbox, (room.folder / name).read_text(), task.given, task.inside)
            try:
                await whole.judge(exam)
            except Failed as failed:
                return str(failed)
            return ""

    seen = asyncio.run(failure())
    assert ("0 of 1 answered" in seen) is (name != "solution.py")
    assert bool(seen) is (name != "solution.py")


@pytest.mark.parametrize(
    ("slug", "name", "passes"),
    [
        ("partial-failure", "solution.py", True),
        ("partial-failure", "right/clock_of_its_own.py", True),
        ("partial-failure", "wrong/deadline_doubled.py", False),
        ("gateway", "solution.py", True),
        ("gateway", "right/clock_of_its_own.py", True),
        ("gateway", "wrong/deadline_doubled.py", False),
    ],
)
def test_an_answer_made_late_by_the_machine_is_told_from_one_that_is_late(
    slug: str, name: str, passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer of each is taken for one that came long after the deadline."""
    room = course.room(slug)
    task = exercise(room)
    [cut] = [c for c in task.criteria if " cut" in c.name]
    late, looks = Watch.late, count()
    monkeypatch.setattr(Watch, "late", lambda watch, d: next(looks) < 2 or late(watch, d))

    async def failure() -> str:
        async with Sandbox() as sandbox:
            exam = Exam(sandbox, (room.folder / name).read_text(), task.given, task.inside)
            try:
                await cut.judge(exam)
            except Failed as failed:
                return str(failed)
            return ""

    assert ("long after DEADLINE was over" in asyncio.run(failure())) is not passes
