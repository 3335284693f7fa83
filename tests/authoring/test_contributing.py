"""The exercise that CONTRIBUTING leads through is built from the guide's own text, and marked."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from unblocked import course
from unblocked.authoring.gates._rooms import caught_by, room_problems
from unblocked.grading import checks as vocabulary
from unblocked.grading.judge.mark import Result, exercise, mark
from unblocked.grading.sandbox.pool import Sandbox

SLUG = "two-at-once"
MOST_LINES = 60
GUIDE = Path(__file__).parents[2] / "CONTRIBUTING.md"
_FILE = re.compile(r"^`([\w/]+\.\w+)`\n\n(`{3,4})\w*\n(.*?)^\2$", re.MULTILINE | re.DOTALL)
NAMED = (
    *("called", "expect", "held", "released", "expect_reply", "expect_released"),
    *("expect_nothing_left", "FAILURES", "scenario", "nothing_blocks"),
)


def section() -> str:
    _, _, rest = GUIDE.read_text(encoding="utf-8").partition("\n## An exercise\n")
    return rest.partition("\n## Build, test, release\n")[0]


@pytest.fixture(scope="module")
def guided(tmp_path_factory: pytest.TempPathFactory) -> course.Room:
    """The room, as somebody has it who copies each file of the guide."""
    root = tmp_path_factory.mktemp("course")
    for name, _, text in _FILE.findall(section()):
        path = root / "exercises" / SLUG / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return course.room(SLUG, root)


def test_the_exercise_is_marked_as_the_guide_says(guided: course.Room) -> None:
    answers = [guided.solution, *guided.right, guided.starter, *guided.wrong]

    async def marked() -> list[Result]:
        async with Sandbox() as sandbox:
            task = exercise(guided)
            return [await mark(task, path.read_text("utf-8"), sandbox) for path in answers]

    assert guided.right
    assert len(guided.wrong) >= 2
    for path, result in zip(answers, asyncio.run(marked()), strict=True):
        failed = {c["name"]: c["message"] for c in result["checks"] if not c["passed"]}
        if path == guided.solution or path in guided.right:
            assert failed == {}, path.name
            assert result["points"] == guided.points
        elif path == guided.starter:
            assert "two calls at once" in failed
        else:
            assert caught_by(path) in failed, path.name


def test_its_files_pass_the_gates_but_for_how_many_answers_there_are(guided: course.Room) -> None:
    ours = course.read_course(course.course_folder())
    problems = room_problems(ours, guided)
    assert [problem for problem in problems if "answers, at least" not in problem] == []


def test_its_checks_are_short(guided: course.Room) -> None:
    lines = guided.checks.read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= MOST_LINES


def test_the_guide_names_the_vocabulary_and_nothing_that_is_gone() -> None:
    text = section()
    for name in NAMED:
        assert name in text
        assert hasattr(vocabulary, name)
    for method in ("freeze", "forward"):
        assert f"app.{method}(" in text
        assert hasattr(vocabulary.App, method)
    for gone in ("fresh=False", "exam.seen", "ruled_out", "app.lull", "served_before", "patience"):
        assert gone not in text
