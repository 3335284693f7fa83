"""The course itself, as it lies in this checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from unblocked.course import Course, read_course

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
    if "room" in metafunc.fixturenames:
        metafunc.parametrize("room", COURSE.rooms, ids=[room.slug for room in COURSE.rooms])
