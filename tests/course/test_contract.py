"""Every lesson and every exercise room keeps its contract; what is committed is what is built."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from unblocked.authoring import build, gates
from unblocked.authoring.notebooks import split_statement
from unblocked.grading.judge.mark import exercise

if TYPE_CHECKING:
    from pathlib import Path

    from unblocked.course import Course, Deeper, Lesson, Room

POINTS = {
    "serve-in-process": 10,
    "bounded-threads": 10,
    "unblock-the-loop": 10,
    "fan-out": 10,
    "pool-and-timeouts": 10,
    "one-client": 10,
    "stream-through": 15,
    "fix-the-article": 20,
    "partial-failure": 15,
    "gateway": 30,
}
GIVEN = {
    "serve-in-process": ("demo_app",),
    "bounded-threads": ("URL", "fetch"),
    "unblock-the-loop": ("URL", "legacy_lookup", "crunch"),
    "fan-out": ("UPSTREAM", "TOKEN"),
    "pool-and-timeouts": ("URL",),
    "one-client": ("URL",),
    "stream-through": ("URL",),
    "fix-the-article": ("URL",),
    "partial-failure": ("SOURCES", "DEADLINE"),
    "gateway": ("SOURCES", "DEADLINE", "PER_SOURCE", "CAPACITY"),
}


def test_lesson_keeps_its_contract(course: Course, lesson: Lesson, root: Path) -> None:
    assert gates.lesson_problems(course, lesson, root) == []


def test_deeper_page_keeps_its_contract(course: Course, deeper: Deeper, root: Path) -> None:
    assert gates.deeper_problems(course, deeper, root) == []


def test_all_pages_together_keep_their_contract(course: Course) -> None:
    assert gates.course_problems(course) == []


def test_room_keeps_its_contract(course: Course, room: Room) -> None:
    assert gates.room_problems(course, room) == []


def test_all_ten_exercises_are_there(course: Course) -> None:
    assert set(POINTS) <= {room.slug for room in course.rooms}


def test_points_are_those_promised_and_those_graded(room: Room) -> None:
    assert room.points == POINTS.get(room.slug, room.points)
    assert room.points == exercise(room).max_points


def test_wrong_answers_name_a_criterion_there_is(room: Room) -> None:
    names = {criterion.name for criterion in exercise(room).criteria}
    claimed = {path.name: gates.caught_by(path) for path in room.wrong}
    assert {name: claim for name, claim in claimed.items() if claim not in names} == {}


def test_the_statement_mentions_every_given_name(room: Room) -> None:
    asks = split_statement(room.statement.read_text("utf-8")).asks
    assert [name for name in GIVEN.get(room.slug, ()) if not re.search(rf"\b{name}\b", asks)] == []


def test_the_built_files_are_in_step(root: Path) -> None:
    assert build.check_step(root) == 0


def test_nothing_solved_is_in_the_exercise(root: Path, room: Room) -> None:
    """As committed: what a learner wrote into the working copy is theirs."""
    name = f"exercises/{room.slug}.ipynb"
    if name not in committed_names(root):
        pytest.skip("not committed yet")
    built = committed(root, name)
    starter = git(root, "show", f"HEAD:course/exercises/{room.slug}/starter.py")
    answers = [cell for cell in built["cells"] if cell["id"] == room.slug]
    assert len(answers) == 1
    lines = "".join(answers[0]["source"]).splitlines()
    assert "\n".join(lines[1:]).strip() in starter


def test_nothing_that_was_run_is_committed(root: Path) -> None:
    for name in committed_names(root):
        for cell in committed(root, name)["cells"]:
            assert not cell.get("outputs"), name
            assert cell.get("execution_count") is None, name


def committed_names(root: Path) -> list[str]:
    listed = git(
        root, "ls-tree", "-r", "--name-only", "HEAD", "notebooks", "exercises", "solutions"
    )
    return [name for name in listed.splitlines() if name.endswith(".ipynb")]


def committed(root: Path, name: str) -> dict[str, list[dict[str, list[str]]]]:
    found: dict[str, list[dict[str, list[str]]]] = json.loads(git(root, "show", f"HEAD:{name}"))
    return found


def git(root: Path, *words: str) -> str:
    if not (root / ".git").exists():
        pytest.skip("not a clone")
    command = ["git", "-C", str(root), *words]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
