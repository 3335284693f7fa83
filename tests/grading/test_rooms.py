"""Every exercise's own right and wrong answers are judged as they say."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from unblocked import course
from unblocked.grading.judge.mark import Exercise, Result, exercise, mark

if TYPE_CHECKING:
    from conftest import Sandboxes

    from unblocked.grading.sandbox.pool import Sandbox

Judged = tuple[course.Room, dict[Path, Result]]

ROOMS = course.rooms()
pytestmark = pytest.mark.timeout(1200)  # the deadline holds for a whole bank of answers
CAUGHT_BY = re.compile(r"# caught by: (.+)")


def _named(wrong: Path) -> str:
    found = CAUGHT_BY.match(wrong.read_text("utf-8"))
    assert found, f"{wrong.name} does not say what catches it"
    return found[1]


def _only(task: Exercise, name: str) -> Exercise:
    """The exercise with the one run that judges this criterion, unless that needs the others."""
    runs = tuple(run for run in task.scenarios if name in {c.name for c in run.criteria})
    return task if not runs or runs[0].last else replace(task, scenarios=runs)


async def _mark_all(sandbox: Sandbox, answers: list[tuple[Exercise, str]]) -> list[Result]:
    few = asyncio.Semaphore(6)

    async def one(task: Exercise, source: str) -> Result:
        async with few:
            return await mark(task, source, sandbox)

    return await asyncio.gather(*(one(*answer) for answer in answers))


def _failed(result: Result) -> dict[str, str]:
    return {c["name"]: c["message"] for c in result["checks"] if not c["passed"]}


@pytest.fixture(scope="module", params=ROOMS, ids=lambda room: room.slug)
def judged(request: pytest.FixtureRequest, sandboxes: Sandboxes) -> Judged:
    """A room, and the results of all its answers, each marked once.

    A wrong one is judged by the criterion that it names; `-m whole` has it judged by all.
    """
    room: course.Room = request.param
    task = exercise(room)
    tasks = dict.fromkeys([room.solution, room.starter, *room.right], task)
    whole = request.config.getoption("markexpr") in ("", "whole")
    tasks |= {file: task if whole else _only(task, _named(file)) for file in room.wrong}
    answers = [(task, file.read_text("utf-8")) for file, task in tasks.items()]
    results = sandboxes.run(lambda sandbox: _mark_all(sandbox, answers))
    return room, dict(zip(tasks, results, strict=True))


def test_the_points_are_those_of_the_statement(judged: Judged) -> None:
    room, results = judged
    whole = [results[file] for file in (room.solution, room.starter, *room.right)]
    assert {result["max_points"] for result in whole} == {room.points}


def test_the_solution_and_all_right_answers_get_full_marks(judged: Judged) -> None:
    room, results = judged
    missed = {file.name: _failed(results[file]) for file in (room.solution, *room.right)}
    assert not {name: failed for name, failed in missed.items() if failed}


def test_the_starter_fails_by_a_check(judged: Judged) -> None:
    room, results = judged
    assert results[room.starter]["outcome"] == "graded"
    assert _failed(results[room.starter])


def test_no_check_fails_itself(judged: Judged) -> None:
    _, results = judged
    messages = [message for result in results.values() for message in _failed(result).values()]
    assert not [message for message in messages if "check failed itself" in message]


@pytest.mark.whole
def test_all_criteria_judge_each_wrong_answer(judged: Judged) -> None:
    room, results = judged
    assert {result["max_points"] for result in results.values()} == {room.points}
    criteria = len(exercise(room).criteria)
    assert {len(result["checks"]) for result in results.values()} == {criteria}


def test_every_wrong_answer_fails_the_criterion_it_names(judged: Judged) -> None:
    room, results = judged
    slipped = {}
    for file in room.wrong:
        if _named(file) not in _failed(results[file]):
            slipped[file.name] = (_named(file), sorted(_failed(results[file])))
    assert not slipped
