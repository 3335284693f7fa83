"""`unblocked build`: course/ → notebooks/, exercises/, solutions/ and the README's map.

The same course gives the same bytes. What a learner wrote in exercises/ is never overwritten.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unblocked._files import replace
from unblocked.authoring.notebooks import (
    DEEPER,
    GLOSSARY,
    WORKSPACE_SUFFIX,
    WORKSPACES,
    deeper_notebook,
    exercise_in_step,
    exercise_notebook,
    glossary_notebook,
    holds_work,
    lesson_notebook,
    page_in_step,
    read_notebook,
    short_notebook,
    solution_notebook,
    to_bytes,
    workspace,
)
from unblocked.authoring.readme import GUIDE, guide, readme
from unblocked.course import checkout, learning_paths, read_course

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unblocked.authoring.notebooks import Notebook
    from unblocked.course import Course, Lesson

BUILT_FOLDERS = ("notebooks", f"notebooks/{DEEPER}", "exercises", "solutions")


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """One file to be built. `slug` is set when learners write in it."""

    path: Path
    made: Notebook | str
    slug: str | None = None

    @property
    def content(self) -> bytes:
        return self.made.encode() if isinstance(self.made, str) else to_bytes(self.made)


def build(*, check: bool = False, for_learners: Path | None = None) -> int:
    """Build the course that this checkout holds. Returns the command's exit code."""
    root = checkout()
    if check:
        return check_step(root)
    write(root)
    if for_learners is not None:
        from unblocked.authoring.handout import hand_out

        hand_out(root, for_learners)
    return 0


def write(root: Path) -> None:
    """Write what is out of step, remove what has lost its source, and say so line by line."""
    pages = list(_pages(root))
    for page in pages:
        _say(_write(page), page.path, root)
    for path in _orphans(root, pages):
        path.unlink()
        _say("removed", path, root)


def check_step(root: Path) -> int:
    """List the files that differ from what the course says; return 1 if there are any, else 0."""
    pages = list(_pages(root))
    wrong = [page.path for page in pages if not _in_step(page)]
    wrong += _orphans(root, pages)
    for path in wrong:
        print(path.relative_to(root).as_posix())
    if wrong:
        print("Out of step with course/; `unblocked build` fixes it.", file=sys.stderr)
    return int(bool(wrong))


def _pages(root: Path) -> Iterator[BuiltFile]:
    course = read_course(root / "course")
    for lesson in course.lessons:
        yield from _lesson_pages(course, lesson, root / "notebooks")

    for deeper in course.deeper:
        path = root / "notebooks" / DEEPER / f"{deeper.name}.ipynb"
        yield BuiltFile(path, deeper_notebook(course, deeper))

    if (course.folder / f"{GLOSSARY}.md").is_file():
        yield BuiltFile(root / "notebooks" / f"{GLOSSARY}.ipynb", glossary_notebook(course))
    yield from _short_pages(course, root / "notebooks")
    yield from _exercise_pages(course, root)
    yield BuiltFile(root / "README.md", readme(course, root))
    if (text := guide(course, root)) is not None:
        yield BuiltFile(root / GUIDE, text)


def _lesson_pages(course: Course, lesson: Lesson, folder: Path) -> Iterator[BuiltFile]:
    notebook = lesson_notebook(course, lesson)
    yield BuiltFile(folder / f"{lesson.name}.ipynb", notebook)
    layout = workspace(notebook, lesson.name)
    if layout is not None:
        yield BuiltFile(folder / WORKSPACES / f"{lesson.name}{WORKSPACE_SUFFIX}", layout)


def _short_pages(course: Course, folder: Path) -> Iterator[BuiltFile]:
    steps = [step for path in learning_paths(course) for step in path.steps]
    short = {step.notebook: step for step in steps if step.is_short}
    for name, step in short.items():
        yield BuiltFile(folder / f"{name}.ipynb", short_notebook(course, step))


def _exercise_pages(course: Course, root: Path) -> Iterator[BuiltFile]:
    for room in course.rooms:
        name = f"{room.slug}.ipynb"
        yield BuiltFile(root / "exercises" / name, exercise_notebook(course, room), room.slug)
        if room.solution.is_file():  # a copy for learners has none
            yield BuiltFile(root / "solutions" / name, solution_notebook(course, room))


def _in_step(page: BuiltFile) -> bool:
    if not page.path.is_file():
        return False
    if page.path.read_bytes() == page.content:
        return True
    found = None if isinstance(page.made, str) else read_notebook(page.path)
    if found is None:
        return False
    if page.slug is None:
        return page_in_step(found, page.made)
    return exercise_in_step(found, page.made, page.slug)


def _write(page: BuiltFile) -> str:
    content = page.content
    if page.path.is_file():
        if page.path.read_bytes() == content:
            return ""
        if page.slug is not None and _is_learners(page.path, page.slug):
            return f"kept, a learner's work (`unblocked reset {page.slug}` starts afresh)"
    replace(page.path, content)
    return "written"


def _is_learners(path: Path, slug: str) -> bool:
    found = read_notebook(path)
    return found is None or holds_work(found, slug)


def _orphans(root: Path, pages: list[BuiltFile]) -> list[Path]:
    """Return files whose source is gone from the course and in which no learner wrote."""
    kept = {page.path for page in pages}
    found = [path for name in BUILT_FOLDERS for path in sorted((root / name).glob("*.ipynb"))]
    lost = [path for path in found if path not in kept and _lost_its_source(path, root)]
    layouts = sorted((root / "notebooks" / WORKSPACES).glob(f"*{WORKSPACE_SUFFIX}"))
    return [*lost, *(path for path in layouts if path not in kept)]


def _lost_its_source(path: Path, root: Path) -> bool:
    found = read_notebook(path)
    source = found.metadata.get("unblocked", {}).get("source") if found else None
    if found is None or source is None or (root / source).exists():
        return False
    return path.parent.name != "exercises" or not holds_work(found, path.stem)


def _say(what: str, path: Path, root: Path) -> None:
    if what:
        print(f"{path.relative_to(root).as_posix()}: {what}")
