"""The part of INSTRUCTORS.md that lists paths through the course, with their minutes summed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unblocked.authoring.notebooks import name_of
from unblocked.authoring.readme._between import between
from unblocked.course import Lesson, learning_paths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unblocked.course import Course, LearningPath, Step

GUIDE = "INSTRUCTORS.md"


def guide(course: Course, root: Path) -> str | None:
    """INSTRUCTORS.md as it should be; None where a course has no guide or no paths.

    Raises:
        CourseError: its marks are missing.
    """
    path = root / GUIDE
    paths = learning_paths(course)
    if not paths or not path.is_file():
        return None
    made = "\n\n".join("\n".join(_path(one)) for one in paths)
    return between(path.read_text(encoding="utf-8"), "paths", made, GUIDE)


def _path(path: LearningPath) -> Iterator[str]:
    yield f"**{path.title}**, {path.taken} minutes in all:\n"
    for number, step in enumerate(path.steps, 1):
        yield f"{number}. {_step(step)}"


def _step(step: Step) -> str:
    minutes = f"{step.minutes} min"
    if isinstance(step.page, Lesson):
        name = f"{name_of(step.page)}{', in short' if step.is_short else ''}"
        return f"[{name}](notebooks/{step.notebook}.ipynb), {minutes}"
    begun = f", begun together: {minutes} of its {step.page.minutes}"
    how = begun if step.minutes < step.page.minutes else f", {minutes}"
    return f"Exercise: [{step.page.title}](exercises/{step.notebook}.ipynb){how}"
