"""Where learners work: the clone of the repository, else the folder they are in."""

from __future__ import annotations

from pathlib import Path

from unblocked.course import course_folder


def working_folder() -> Path:
    """The folder that holds notebooks/ and exercises/."""
    root = course_folder().parent
    return root if (root / "pyproject.toml").is_file() else Path.cwd()


def shipped_folder() -> Path:
    """notebooks/ and exercises/ as they came with the installed package (see pyproject.toml)."""
    return course_folder().parent / "_built"
