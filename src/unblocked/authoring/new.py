"""`unblocked new exercise SLUG`: an empty room that already fails its contract."""

from __future__ import annotations

import re
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from unblocked.authoring.gates import room_problems
from unblocked.course import CourseError, checkout, read_course, room

if TYPE_CHECKING:
    from unblocked.course import Course

_SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

_TEMPLATES = files(__package__) / "new_room"


def new_exercise(slug: str) -> int:
    """Make the room and say what it lacks. Returns the command's exit code.

    Raises:
        CourseError: the slug cannot be used, or the room is there already.
    """
    root = checkout()
    course = read_course(root / "course")
    folder = root / "course" / "exercises" / slug
    if not _SLUG.fullmatch(slug):
        raise CourseError(f"{slug!r} is no slug: use lower-case words joined by hyphens.")
    if folder.exists():
        raise CourseError(f"{folder.relative_to(root).as_posix()} is there already.")

    for name, text in _files(slug, course).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    print(f"{folder.relative_to(root).as_posix()} is made. Before it keeps its contract:")
    for problem in room_problems(course, room(slug, course.folder)):
        print(f"  {problem}")

    return 0


def _files(slug: str, course: Course) -> dict[str, str]:
    """Return the text of each file of a new room: an answer that does nothing, in every role."""
    title = slug.replace("-", " ").capitalize()
    lesson = course.lessons[-1].name if course.lessons else ""
    made = {
        name: Template((_TEMPLATES / template).read_text("utf-8")).substitute(
            slug=slug, title=title, lesson=lesson
        )
        for name, template in (("exercise.md", "exercise.md"), ("checks.py", "checks.py.txt"))
    }
    starter = (_TEMPLATES / "starter.py.txt").read_text("utf-8")
    answers = ("starter.py", "solution.py", "right/one.py", "wrong/starter.py")
    return made | dict.fromkeys(answers, starter)
