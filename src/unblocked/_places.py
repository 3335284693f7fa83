"""Where learners work: the copy of the course they are in, else the clone that runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from unblocked.course import CourseError, course_folder

if TYPE_CHECKING:
    from collections.abc import Iterator


def working_folder() -> Path:
    """Return the folder that holds the learner's notebooks/ and exercises/.

    Raises:
        CourseError: nobody works here, nor above, nor in the clone; the text says where to go.
    """
    found = find_working_folder()
    if found is None:
        raise CourseError(
            f"{Path.cwd()} holds none of the course's notebooks. Go to the course's folder, "
            "which holds notebooks/ and exercises/ (`cd` with its name), and run this there."
        )
    return found


def find_working_folder() -> Path | None:
    """Return the nearest folder, from here upwards, with a notebook of the
    course; else the clone.
    """
    names, here = tuple(_notebooks()), Path.cwd()
    for folder in (here, *here.parents):
        if any((folder / name).is_file() for name in names):
            return folder
    return _own_clone()


def shipped_folder() -> Path:
    """Return the folder of notebooks/ and exercises/ that came with the package (see
    pyproject.toml).
    """
    return course_folder().parent / "_built"


def _notebooks() -> Iterator[str]:
    """Yield the paths of the course's notebooks. A folder's name would not do: many a home folder
    holds a notebooks/ of its own.
    """
    course = course_folder()
    for path in course.glob("lessons/[0-9][0-9]-*.md"):
        yield f"notebooks/{path.stem}.ipynb"
    for path in course.glob("exercises/*/exercise.md"):
        yield f"exercises/{path.parent.name}.ipynb"


def _own_clone() -> Path | None:
    """Return the clone that this runs from; None on a hub, where it is the administrator's."""
    root = course_folder().parent
    ours = (root / "pyproject.toml").is_file() and os.access(root, os.W_OK)
    return root if ours else None
