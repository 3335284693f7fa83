"""A class that uses nbgrader: released as it is, marked as `unblocked grade` marks it."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from machines import REPOSITORY, VirtualEnv, clean_environment, copy_course, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SLUG = "fix-the-article"
ROOM = REPOSITORY / "course" / "exercises" / SLUG
GUIDE = (REPOSITORY / "INSTRUCTORS.md").read_text("utf-8")
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

    def nbgrader(self, *words: str) -> str:
        changes = {"UNBLOCKED_HOME": str(self.folder / "home"), "PATH": self._path()}
        environment = clean_environment() | changes
        command = self.venv.folder / "bin" / "nbgrader"
        return run(command, *words, cwd=self.folder, env=environment)

    def _path(self) -> str:
        return f"{self.venv.folder / 'bin'}:{clean_environment()['PATH']}"

    def file(self, stage: str, *owner: str) -> Path:
        return self.folder.joinpath(stage, *owner, SLUG, f"{SLUG}.ipynb")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Class:
    folder = tmp_path_factory.mktemp("nbgrader")
    copy = copy_course(folder)
    venv = VirtualEnv.make(folder / "venv", "3.11")
    [packages] = re.findall(r"pip install -c requirements.txt \. (nbgrader\S+)\n", GUIDE)
    venv.install("-c", "requirements.txt", ".", packages, cwd=copy)
    made = Class(folder / "class", venv)
    source = made.file("source")
    source.parent.mkdir(parents=True)
    shutil.copy(copy / "exercises" / source.name, source)
    shutil.copy(copy / "jupyter" / "nbgrader_config.py", made.folder)
    made.nbgrader("generate_assignment", SLUG)
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
    course.nbgrader("autograde", SLUG, "--create")
    course.nbgrader("generate_feedback", SLUG)
    course.nbgrader("export", "--to", "theirs.csv")
    for learner in (*ANSWERS, "fay"):
        said = outputs_of_the_check(course, learner)
        assert [o for o in said if o.get("name") == "stderr"] == []
        assert (course.folder / "feedback" / learner / SLUG / f"{SLUG}.html").is_file()
    marks = course.folder / "marks"
    course.venv.run("-m", "unblocked", "grade", course.folder / "submitted", "--out", marks)
    theirs = scores(course.folder / "theirs.csv")
    assert theirs == scores(marks / "grades.csv")
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
