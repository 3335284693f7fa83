"""A copy of the course for learners: nothing in it is solved."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from unblocked.authoring.notebooks import exercise_notebook, to_bytes
from unblocked.course import CourseError, read_course

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_SOLVED = frozenset({"solution.py", "right", "wrong", "mutants.md"})
_LITTER = frozenset({"__pycache__", ".ipynb_checkpoints", "node_modules", ".DS_Store"})
_SOLVED_PART = re.compile(r"<!-- solved -->.*?<!-- /solved -->\n", re.DOTALL)
_RESULTS = Path("bench/results")
_GITHUB = re.compile(r"(?:https://|git@)github\.com[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?")
_BINDER = re.compile(r"(https://mybinder\.org/v2/gh/)[\w.-]+/[\w.-]+/")
NO_ADDRESS = "OWNER/NAME"
"""In links of a copy of which nobody has said where it will be."""
MADE = ".handed-out.json"
"""In a copy: what was handed out, and how it was, so that a later one knows what was changed."""
_OWN_TEST = "tests/test_this_copy.py"
_TEST = '''"""Whether this copy of the course works on this machine: `python3 start.py test`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXERCISES = sorted((Path(__file__).resolve().parents[1] / "exercises").glob("*.ipynb"))


@pytest.mark.parametrize("path", EXERCISES, ids=[path.stem for path in EXERCISES])
def test_an_exercise_can_be_marked(path: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "unblocked", "check", path.stem, str(path), "--json"]
    home = {**os.environ, "UNBLOCKED_HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=home)
    assert done.returncode in (0, 1), done.stderr
    assert json.loads(done.stdout)["exercise"] == path.stem
'''


def hand_out(root: Path, out: Path) -> None:
    """Copy what learners need from `root` to the folder `out`, or bring a copy there up to date.

    A file of an earlier copy that was changed there since (a date in a statement) stays as it is,
    and is named; so does what was put there by others, such as `.git`.

    Raises:
        CourseError: `out` is there already, is not empty, and is no copy made here.
    """
    if out.is_dir() and (out / MADE).is_file():
        _bring_up_to_date(root, out)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CourseError(f"{out} is there already; name a new or empty folder.")
    _make(root, out, "")
    _remember(out, out)
    print(f"{out}: the course without its solutions")
    print(f"Its links to Binder lead to {NO_ADDRESS}: --address says where it will be.")
    if others := _others(root, out):
        print(f"Not in it, as they are no part of the course: {', '.join(others)}")


def readdress(root: Path, out: Path, address: str) -> None:
    """Let the README of a copy link to Binder for the repository that the class is given.

    Raises:
        CourseError: the address is not one of a repository on GitHub.
    """
    _write_readme(root, out, _repository(address))
    _remember(out, out, only=("README.md", "pyproject.toml"))


def _repository(address: str) -> str:
    found = _GITHUB.fullmatch(address.strip())
    if found is None:
        raise CourseError(
            f"{address!r} is no address of a repository like https://github.com/OWNER/NAME, which "
            "is what links to Binder are made of."
        )
    return found[1]


def _make(root: Path, out: Path, repository: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name in HANDED_OUT:
        _copy(root / name, out)
    _pack_apps(out)
    _copy_results(root, out)
    _write_readme(root, out, repository)
    _write_exercises(root, out)
    (out / _OWN_TEST).parent.mkdir()
    (out / _OWN_TEST).write_text(_TEST, encoding="utf-8")


def _bring_up_to_date(root: Path, out: Path) -> None:
    """Replace, add and remove what is as it was handed out."""
    before = json.loads((out / MADE).read_text(encoding="utf-8"))
    repository = _origin(out)
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder) / "copy"
        _make(root, new, repository)
        kept = sorted(_merge(new, out, before))
        _remember(new, out)
    print(f"{out}: brought up to date")
    if kept:
        print(f"Kept as you changed them: {', '.join(kept)}")


def _merge(new: Path, out: Path, before: dict[str, str]) -> Iterator[str]:
    """Carry over what is new; yields the names of files that were changed in `out`, and stay."""
    names = {path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file()}
    for name in sorted(names | before.keys()):
        mine, theirs = new / name, out / name
        if theirs.is_file() and before.get(name) != _digest(theirs):
            if name not in names or _digest(mine) != _digest(theirs):
                yield name
        elif name not in names:
            theirs.unlink(missing_ok=True)
        elif theirs.is_file() or name not in before:
            theirs.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(mine, theirs)
        else:  # taken out there: an exercise less
            yield name


def _remember(made: Path, out: Path, only: tuple[str, ...] = ()) -> None:
    """Write down, in `out`, how the files of `made` were when they were handed out."""
    paths = (path for path in made.rglob("*") if path.is_file())
    names = {path.relative_to(made).as_posix(): path for path in paths}
    digests = {name: _digest(path) for name, path in names.items() if _is_ours(name)}
    if only:
        kept = json.loads((out / MADE).read_text(encoding="utf-8"))
        digests = kept | {name: digests[name] for name in only}
    text = json.dumps(dict(sorted(digests.items())), indent=1)
    (out / MADE).write_text(text + "\n", encoding="utf-8")


def _is_ours(name: str) -> bool:
    return name != MADE and not name.startswith((".git/", ".venv/"))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _origin(out: Path) -> str:
    """OWNER/NAME of the repository on GitHub that a copy links or is pushed to, or ''."""
    linked = _found(r"https://mybinder\.org/v2/gh/([\w.-]+/[\w.-]+)/", out / "README.md")
    if linked and linked != NO_ADDRESS:
        return linked
    pushed = r"url = \S*github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?\s"
    return _found(pushed, out / ".git" / "config")


def _found(pattern: str, path: Path) -> str:
    try:
        found = re.search(pattern, path.read_text(encoding="utf-8"))
    except OSError:
        return ""
    return found[1] if found else ""


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


def _pack_apps(out: Path) -> None:
    """Put the apps that judge a learner's tests into a zip: nobody reads them by chance.

    Some are right answers to other exercises, and all tell what tests are to catch. A zip can be
    unpacked: marks of a copy are made where its learner works, so all that judges is there.
    """
    for folder in sorted(out.glob("course/exercises/*/apps")):
        with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                info = zipfile.ZipInfo(path.relative_to(folder).as_posix())
                archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)
        shutil.rmtree(folder)


def _copy_results(root: Path, out: Path) -> None:
    """What README.md and the lessons show of the studies."""
    if (root / _RESULTS).is_dir():
        answers = shutil.ignore_patterns("mutants.*")  # changed solutions are solutions still
        shutil.copytree(root / _RESULTS, out / _RESULTS, ignore=answers)


def _write_readme(root: Path, out: Path, repository: str) -> None:
    """Leave out what README.md says about the solutions, and let links to Binder lead elsewhere.

    The address stands in pyproject.toml, too, which a build of the copy takes it from.
    """
    repository = repository or NO_ADDRESS
    text = _SOLVED_PART.sub("", (root / "README.md").read_text(encoding="utf-8"))
    text = _BINDER.sub(rf"\g<1>{repository}/", text)
    (out / "README.md").write_text(text, encoding="utf-8")
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    address = f'Repository = "https://github.com/{repository}"'
    project = re.sub(r"(?m)^Repository = .*$", address, project)
    (out / "pyproject.toml").write_text(project, encoding="utf-8")


def _write_exercises(root: Path, out: Path) -> None:
    """Built, not copied: whoever hands the course out may have solved it in place."""
    course = read_course(root / "course")
    (out / "exercises").mkdir()
    for room in course.rooms:
        content = to_bytes(exercise_notebook(course, room))
        (out / "exercises" / f"{room.slug}.ipynb").write_bytes(content)
