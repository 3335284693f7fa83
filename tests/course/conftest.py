"""The course itself, as it lies in this checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from unblocked.course import Course, learning_paths, read_course

ROOT = Path(__file__).resolve().parents[2]
COURSE = read_course(ROOT / "course")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def course() -> Course:
    return COURSE


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `lesson`, `deeper` or `room` is one test for each of them."""
    if "lesson" in metafunc.fixturenames:
        names = [lesson.name for lesson in COURSE.lessons]
        metafunc.parametrize("lesson", COURSE.lessons, ids=names)
    if "deeper" in metafunc.fixturenames:
        metafunc.parametrize("deeper", COURSE.deeper, ids=[page.name for page in COURSE.deeper])
    if "step" in metafunc.fixturenames:
        paths = learning_paths(COURSE)
        steps = {step for path in paths for step in path.steps if step.is_short}
        short = sorted(steps, key=lambda step: step.notebook)
        metafunc.parametrize("step", short, ids=[step.notebook for step in short])
    if "room" in metafunc.fixturenames:
        metafunc.parametrize("room", COURSE.rooms, ids=[room.slug for room in COURSE.rooms])
