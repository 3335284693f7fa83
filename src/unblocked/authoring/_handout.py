"""A copy of the course for learners: nothing in it is solved."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from unblocked.authoring._cells import to_bytes
from unblocked.authoring._exercises import exercise_notebook
from unblocked.authoring._pages import read_course
from unblocked.course import CourseError

_LEFT_OUT = frozenset({"solutions", "exercises", "tests", "bench", "dist", "node_modules"})
_SOLVED = frozenset({"solution.py", "right", "wrong"})
_SOLVED_PART = re.compile(r"<!-- solved -->.*?<!-- /solved -->\n", re.DOTALL)
_RESULTS = Path("bench/results")
_KEPT_HIDDEN = frozenset({".devcontainer", ".dockerignore", ".gitignore"})


def hand_out(root: Path, out: Path) -> None:
    """Copy what learners need from `root` to the new folder `out`.

    Raises:
        CourseError: `out` is there already and is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CourseError(f"{out} is there already; name a new or empty folder.")
    shutil.copytree(root, out, ignore=_Unsolved(root, out), dirs_exist_ok=True)
    _copy_results(root, out)
    _shorten_readme(out / "README.md")
    _write_exercises(root, out)
    print(f"{out}: the course without its solutions")


class _Unsolved:
    """Says to copytree what stays behind."""

    def __init__(self, root: Path, out: Path) -> None:
        self._root, self._out = root.resolve(), out.resolve()

    def __call__(self, folder: str, names: list[str]) -> set[str]:
        place = Path(folder).resolve()
        return {name for name in names if self._stays(place, name)}

    def _stays(self, place: Path, name: str) -> bool:
        if place / name == self._out or name == "__pycache__" or name.endswith(".egg-info"):
            return True
        if place == self._root:
            return name in _LEFT_OUT or (name.startswith(".") and name not in _KEPT_HIDDEN)
        in_a_room = place.parent == self._root / "course" / "exercises"
        return name == ".ipynb_checkpoints" or (in_a_room and name in _SOLVED)


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
