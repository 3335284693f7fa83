"""`unblocked reset SLUG`: puts the starter back, and keeps what was there.

Learners need not have the tools that authors have. Without jupytext the notebook is put together
from one that was built before: the learner's own, the solved one, or the one in the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unblocked import course as _course
from unblocked._files import put
from unblocked._places import shipped_folder, working_folder
from unblocked.authoring.notebooks import (
    answer_source,
    exercise_notebook,
    is_answer,
    read_notebook,
    to_bytes,
)
from unblocked.course import CourseError, read_course

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unblocked.authoring.notebooks import Notebook
    from unblocked.course import Room


def reset(slug: str) -> int:
    """Put the starter back in exercises/SLUG.ipynb, keeping a dated copy of what was there.

    Returns the command's exit code.

    Raises:
        CourseError: there is no such exercise, nobody works here (`working_folder`), or there is
            nothing to make its notebook from.
    """
    room = _course.room(slug)
    path = working_folder() / "exercises" / f"{slug}.ipynb"
    content = to_bytes(_fresh(room, path))
    if path.is_file() and path.read_bytes() == content:
        print(f"{path.name} is the untouched starter already.")
        return 0
    kept = put(path, content)
    print(f"{path.name} is the starter again." + (f" What was there: {kept.name}" if kept else ""))
    print("Is it open in JupyterLab? Choose File → Reload Notebook from Disk.")
    return 0


def _fresh(room: Room, path: Path) -> Notebook:
    try:
        return exercise_notebook(read_course(_course.course_folder()), room)
    except ModuleNotFoundError:
        return _from_built(room, path)


def _from_built(room: Room, path: Path) -> Notebook:
    for built in _built(path):
        found = read_notebook(built) if built.is_file() else None
        if found is not None and _put_back(found, room):
            return found
    raise CourseError(
        f"{path.name} cannot be rebuilt from what is here. Get it back with "
        f"`git checkout -- exercises/{path.name}`, or install jupytext and try again."
    )


def _built(path: Path) -> Iterator[Path]:
    yield path
    yield path.parent.parent / "solutions" / path.name
    yield shipped_folder() / "exercises" / path.name


def _put_back(found: Notebook, room: Room) -> bool:
    """Keep the cells that a build made, with the starter as the answer; False without one."""
    slug, built = room.slug, []
    for cell in found.cells:
        if is_answer(cell, slug):
            if cell.get("id") != slug:
                continue  # a learner's copy
            cell.source = answer_source(slug, room.starter)
        elif not {"nbgrader", "unblocked"} & cell.metadata.keys():
            continue
        if cell.get("id") != f"{slug}-others":
            built.append(cell)

    found.cells = built
    return any(cell.get("id") == slug for cell in built)
