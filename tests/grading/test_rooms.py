"""Every exercise's own right and wrong answers are judged as they say."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from unblocked import course
from unblocked.grading.judge.mark import exercise, mark
from unblocked.grading.sandbox.pool import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

ROOMS = course.rooms()
pytestmark = pytest.mark.timeout(1200)  # the deadline holds for a whole bank of answers


async def _mark_all(room: course.Room, sources: dict[Path, str]) -> dict[Path, dict[str, Any]]:
    task = exercise(room)
    few = asyncio.Semaphore(6)
    async with Sandbox() as sandbox:

        async def one(source: str) -> dict[str, Any]:
            async with few:
                return await mark(task, source, sandbox)

        results = await asyncio.gather(*map(one, sources.values()))
        return dict(zip(sources, results, strict=True))


def _failed(result: dict[str, Any]) -> dict[str, str]:
    return {c["name"]: c["message"] for c in result["checks"] if not c["passed"]}


@pytest.fixture(scope="module", params=ROOMS, ids=lambda room: room.slug)
def judged(request: pytest.FixtureRequest) -> tuple[course.Room, dict[Path, dict[str, Any]]]:
    room: course.Room = request.param
    files = [room.solution, room.starter, *room.right, *room.wrong]
    return room, asyncio.run(_mark_all(room, {file: file.read_text() for file in files}))


def test_the_points_are_those_of_the_statement(judged: Any) -> None:
    room, results = judged
    assert {result["max_points"] for result in results.values()} == {room.points}


def test_the_solution_and_all_right_answers_get_full_marks(judged: Any) -> None:
    room, results = judged
    missed = {file.name: _failed(results[file]) for file in (room.solution, *room.right)}
    assert not {name: failed for name, failed in missed.items() if failed}


def test_the_starter_fails_by_a_check(judged: Any) -> None:
    room, results = judged
    assert results[room.starter]["outcome"] == "graded"
    assert _failed(results[room.starter])


def test_no_check_fails_itself(judged: Any) -> None:
    _, results = judged
    messages = [message for result in results.values() for message in _failed(result).values()]
    assert not [message for message in messages if "check failed itself" in message]


def test_every_wrong_answer_fails_the_criterion_it_names(judged: Any) -> None:
    room, results = judged
    slipped = {}
    for file in room.wrong:
        named = re.match(r"# caught by: (.+)", file.read_text())
        assert named, f"{file.name} does not say what catches it"
        if named[1] not in _failed(results[file]):
            slipped[file.name] = (named[1], sorted(_failed(results[file])))
    assert not slipped
