"""The course itself, as it lies in this checkout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from course_visits import Visit, visit

from unblocked.authoring.notebooks import DEEPER, deeper_notebook, lesson_notebook
from unblocked.course import Course, Lesson, learning_paths, read_course

if TYPE_CHECKING:
    from unblocked.course import Deeper

ROOT = Path(__file__).resolve().parents[2]
COURSE = read_course(ROOT / "course")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def course() -> Course:
    return COURSE


@pytest.fixture(autouse=True)
def marks_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The marks of whoever runs the tests stay as they are."""
    monkeypatch.setenv("UNBLOCKED_HOME", str(tmp_path / "marks"))


class Visits:
    """What was seen when each page ran: several tests ask, and it runs once."""

    def __init__(self) -> None:
        self._seen: dict[str, Visit | Exception] = {}

    def notebook(self, page: Lesson | Deeper) -> Any:
        """The page's notebook."""
        if isinstance(page, Lesson):
            return lesson_notebook(COURSE, page)
        return deeper_notebook(COURSE, page)

    def __call__(self, page: Lesson | Deeper) -> Visit:
        """What was seen when it ran; raises what a cell of it raised."""
        if page.name not in self._seen:
            folder = ROOT / "notebooks" / ("" if isinstance(page, Lesson) else DEEPER)
            folder.mkdir(exist_ok=True)
            try:
                self._seen[page.name] = visit(self.notebook(page), page, folder)
            except Exception as error:
                self._seen[page.name] = error
        found = self._seen[page.name]
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture(scope="session")
def visits() -> Visits:
    return Visits()


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
