"""The line below a lesson that says which versions its claims were tried on: those of the pins."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from unblocked.course import CourseError

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = ("FastAPI", "Starlette", "HTTPX", "uvicorn", "AnyIO")
TRIED = "*Tried with"
"""How the line begins."""
_OLDEST_PYTHON = re.compile(r'^requires-python = ">=([\d.]+)"', re.MULTILINE)
_PYTHON_ON_BINDER = re.compile(r"^  - python=([\d.]+)", re.MULTILINE)


def tried(root: Path) -> str:
    """Return the line below a lesson, with the versions that the checkout at `root` pins.

    Raises:
        CourseError: requirements.txt does not pin one of `PACKAGES`.
    """
    pins = _read(root / "requirements.txt")
    versions = [f"{package} {_pinned(pins, package)}" for package in PACKAGES]
    return f"{TRIED} {', '.join([*_pythons(root), *versions])}.*"


def _pinned(pins: str, package: str) -> str:
    found = re.search(rf"^{package.lower()}==([^\s;]+)", pins, re.MULTILINE)
    if found is None:
        raise CourseError(
            f"requirements.txt pins no {package.lower()}, which each lesson names in its last "
            "lines; `python .ci/pins.py compile` writes the pins."
        )
    return found[1]


def _pythons(root: Path) -> list[str]:
    """Return the oldest Python that pyproject.toml allows, and the one of environment.yml."""
    oldest = _OLDEST_PYTHON.search(_read(root / "pyproject.toml"))
    on_binder = _PYTHON_ON_BINDER.search(_read(root / "environment.yml"))
    versions = dict.fromkeys(found[1] for found in (oldest, on_binder) if found)
    return [f"Python {' and '.join(versions)}"] if versions else []


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
