"""A copy of the course for learners: nothing in it is solved."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from unblocked.authoring.notebooks import exercise_notebook, to_bytes
from unblocked.course import CourseError, read_course

HANDED_OUT = (
    ".devcontainer",
    ".gitattributes",
    ".gitignore",
    "CONTRIBUTING.md",
    "INSTRUCTORS.md",
    "LICENSE",
    "README.md",
    "course",
    "environment.yml",
    "jupyter",
    "notebooks",
    "pyproject.toml",
    "requirements.txt",
    "src",
    "start.py",
)
"""What is named here and no more: beside it lie submissions, marks, lists of the class."""
_ANSWERS_TO_TASKS = (Path("lessons/tasks"), Path("deeper/tasks"))
_OF_THE_COURSE = frozenset({"bench", "exercises", "solutions", "tests"})
_SOLVED = frozenset({"solution.py", "right", "wrong"})
_LITTER = frozenset({"__pycache__", ".ipynb_checkpoints", "node_modules", ".DS_Store"})
_SOLVED_PART = re.compile(r"<!-- solved -->.*?<!-- /solved -->\n", re.DOTALL)
_RESULTS = Path("bench/results")


def hand_out(root: Path, out: Path) -> None:
    """Copy what learners need from `root` to the new folder `out`.

    Raises:
        CourseError: `out` is there already and is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CourseError(f"{out} is there already; name a new or empty folder.")
    out.mkdir(parents=True, exist_ok=True)
    for name in HANDED_OUT:
        _copy(root / name, out)
    _copy_results(root, out)
    _shorten_readme(out / "README.md")
    _write_exercises(root, out)
    print(f"{out}: the course without its solutions")
    if others := _others(root, out):
        print(f"Not in it, as they are no part of the course: {', '.join(others)}")


def _copy(source: Path, out: Path) -> None:
    """Copy a file or folder of the course; a class's own course may lack some."""
    if source.is_dir():
        shutil.copytree(source, out / source.name, ignore=_Unsolved(source.parent, out))
    elif source.is_file():
        shutil.copy2(source, out)


def _others(root: Path, out: Path) -> list[str]:
    """What an instructor may have meant to hand out, and did not."""
    ours = {*HANDED_OUT, *_OF_THE_COURSE, *_LITTER}
    names = {path.name for path in root.iterdir() if path.resolve() != out.resolve()}
    return sorted(name for name in names - ours if not name.startswith("."))


class _Unsolved:
    """Says to copytree what stays behind."""

    def __init__(self, root: Path, out: Path) -> None:
        course = root.resolve() / "course"
        self._rooms, self._out = course / "exercises", out.resolve()
        self._tasks = {course / path for path in _ANSWERS_TO_TASKS}

    def __call__(self, folder: str, names: list[str]) -> set[str]:
        place = Path(folder).resolve()
        return {name for name in names if self._stays(place, name)}

    def _stays(self, place: Path, name: str) -> bool:
        solved = place.parent == self._rooms and name in _SOLVED
        litter = name in _LITTER or name.endswith(".egg-info")
        return solved or litter or place / name in {*self._tasks, self._out}


def _copy_results(root: Path, out: Path) -> None:
    """What README.md and the lessons show of the studies."""
    if (root / _RESULTS).is_dir():
        shutil.copytree(root / _RESULTS, out / _RESULTS)


def _shorten_readme(path: Path) -> None:
    """Leave out what it says about the solutions."""
    text = path.read_text(encoding="utf-8")
    path.write_text(_SOLVED_PART.sub("", text), encoding="utf-8")


def _write_exercises(root: Path, out: Path) -> None:
    """Built, not copied: whoever hands the course out may have solved it in place."""
    course = read_course(root / "course")
    (out / "exercises").mkdir()
    for room in course.rooms:
        content = to_bytes(exercise_notebook(course, room))
        (out / "exercises" / f"{room.slug}.ipynb").write_bytes(content)
