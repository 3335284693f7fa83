"""A class that uses nbgrader: released as it is, marked as `unblocked grade` marks it."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from machines import REPOSITORY, UV, VirtualEnv, clean_environment, copy_course, run
from test_guide import INSTRUCTORS, blocks

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SLUG = "fix-the-article"
ROOM = REPOSITORY / "course" / "exercises" / SLUG
GUIDE = (REPOSITORY / "INSTRUCTORS.md").read_text("utf-8")
INSTALL, MAKE, MARK = (text for _, text in blocks(INSTRUCTORS, "nbgrader"))
ANSWERS = {
    "ada": ROOM / "solution.py",
    "bob": ROOM / "wrong" / "error_is_500.py",
    "cy": ROOM / "right" / "gather_app_state.py",
    "dee": ROOM / "wrong" / "plain_def.py",
    "eve": ROOM / "starter.py",
}
LOUD = "import sys\nprint('a word on stderr', file=sys.stderr)\n"


@dataclass(frozen=True)
class Class:
    """An nbgrader course of one assignment, released and handed in."""

    folder: Path
    venv: VirtualEnv

    def follow(self, script: str, cwd: Path) -> str:
        """Run commands of the guide in its environment."""
        path = f"{self.venv.folder / 'bin'}:{clean_environment()['PATH']}"
        environment = clean_environment(PATH=path, UNBLOCKED_HOME=str(cwd / "home"))
        return run("bash", "-euo", "pipefail", "-c", script, cwd=cwd, env=environment)

    def file(self, stage: str, *owner: str) -> Path:
        return self.folder.joinpath(stage, *owner, SLUG, f"{SLUG}.ipynb")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Class:
    """The guide's first two steps, in the environment of its own that it asks for."""
    folder = tmp_path_factory.mktemp("nbgrader")
    copy = copy_course(folder)
    venv = VirtualEnv.make(folder / "venv", "3.11")
    pip = venv.folder / "bin" / "pip"  # the same, and quicker
    pip.write_text(f'#!/bin/sh\nexec {UV} pip "$@" --python "{venv.python}"\n')
    pip.chmod(0o755)
    made = Class(copy / "class", venv)
    made.follow(INSTALL + MAKE, copy)
    for learner, answer in ANSWERS.items():
        hand_in(made, learner, answer.read_text("utf-8"))
    hand_in(made, "fay", LOUD + ANSWERS["ada"].read_text("utf-8"))
    return made


def hand_in(course: Class, learner: str, source: str) -> None:
    notebook = json.loads(course.file("release").read_text("utf-8"))
    cell = answer_cell(notebook)
    cell["source"] = f"# exercise: {SLUG}\n{source}"
    path = course.file("submitted", learner)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook), "utf-8")


def answer_cell(notebook: Any) -> Any:
    [cell] = [c for c in notebook["cells"] if grade_id(c) == SLUG]
    return cell


def grade_id(cell: Any) -> Any:
    return cell["metadata"].get("nbgrader", {}).get("grade_id")


def test_the_starter_is_released_as_it_is(course: Class) -> None:
    released = "".join(answer_cell(json.loads(course.file("release").read_text("utf-8")))["source"])
    assert released.removeprefix(f"# exercise: {SLUG}\n") == (
        (ROOM / "starter.py").read_text("utf-8").strip("\n")
    )


def test_the_marks_are_those_of_unblocked_grade(course: Class) -> None:
    course.follow(MARK, course.folder)
    for learner in (*ANSWERS, "fay"):
        said = outputs_of_the_check(course, learner)
        assert [o for o in said if o.get("name") == "stderr"] == []
        assert (course.folder / "feedback" / learner / SLUG / f"{SLUG}.html").is_file()
    assert "`unblocked grade submitted --out marks`" in GUIDE
    course.follow("unblocked grade submitted --out marks", course.folder)
    theirs = scores(course.folder / "grades.csv")
    assert theirs == scores(course.folder / "marks" / "grades.csv")
    assert theirs["ada"] == theirs["cy"] == theirs["fay"] == 20
    assert len(set(theirs.values())) > 2  # partial credit


def outputs_of_the_check(course: Class, learner: str) -> list[dict[str, Any]]:
    notebook = json.loads(course.file("autograded", learner).read_text("utf-8"))
    [check] = [c for c in notebook["cells"] if grade_id(c) == f"{SLUG}-check"]
    outputs: list[dict[str, Any]] = check["outputs"]
    return outputs


def scores(table: Path) -> dict[str, float]:
    with table.open(newline="", encoding="utf-8") as file:
        return {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
