"""Same course, same bytes; a learner's work survives; what differs is listed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from unblocked.authoring import build, handout
from unblocked.authoring.notebooks import _cells
from unblocked.authoring.notebooks._short import without_sections
from unblocked.course import CourseError

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).resolve().parents[2]
EXERCISE = "exercises/add-up.ipynb"
SOLUTION = "solutions/add-up.ipynb"
LESSON = "notebooks/01-counting.ipynb"
SHORT = "notebooks/01-counting-in-short.ipynb"
DEEPER = "notebooks/deeper/what-it-costs.ipynb"


@pytest.fixture
def built(root: Path) -> Path:
    build.write(root)
    return root


def snapshot(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def load(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def change(path: Path, edit: Callable[[Any], object]) -> None:
    """Edit a notebook and save it as an editor would, with another layout of its own."""
    notebook = load(path)
    edit(notebook)
    path.write_text(json.dumps(notebook, indent=3), encoding="utf-8")


def cell(notebook: Any, cell_id: str) -> Any:
    return next(cell for cell in notebook["cells"] if cell["id"] == cell_id)


def solve(notebook: Any) -> None:
    cell(notebook, "add-up")["source"] = "# exercise: add-up\napp = None"


def run_it(notebook: Any) -> None:
    """What JupyterLab leaves in a notebook that was run and saved."""
    notebook["metadata"]["kernelspec"]["display_name"] = "Python 3.12"
    notebook["metadata"]["language_info"] = {"name": "python", "version": "3.12.1"}
    for number, item in enumerate(notebook["cells"]):
        if item["cell_type"] == "code":
            item["execution_count"] = number
            item["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["hi\n"]}]
            item["metadata"]["scrolled"] = True


def in_step(root: Path) -> bool:
    return build.check_step(root) == 0


def test_builds_three_folders_and_the_map(built: Path) -> None:
    made = [path.relative_to(built).as_posix() for path in sorted(built.rglob("*.ipynb"))]
    lessons = ["notebooks/00-start.ipynb", SHORT, LESSON]
    assert made == [EXERCISE, *lessons, DEEPER, "notebooks/glossary.ipynb", SOLUTION]
    assert in_step(built)


def test_the_same_course_gives_the_same_bytes(built: Path) -> None:
    before = snapshot(built)
    for path in built.rglob("*.ipynb"):
        path.unlink()
    build.write(built)
    assert snapshot(built) == before


def test_a_second_build_writes_nothing(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    build.write(built)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", [EXERCISE, SOLUTION, LESSON, DEEPER])
def test_notebooks_are_valid_without_outputs_and_end_in_a_newline(built: Path, name: str) -> None:
    text = (built / name).read_text("utf-8")
    notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(not c.outputs and c.execution_count is None for c in code_cells(notebook))
    assert text.endswith("}\n")


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_a_cell_that_asks_a_quiz_is_folded_as_those_that_judge_a_task(built: Path) -> None:
    cells = code_cells(load(built / LESSON))
    folded = [cell["id"] for cell in cells if cell["metadata"].get("jupyter")]
    assert folded == ["l01-predict-code-3", "l01-predict-code-5", "l01-quiz-code-1"]
    assert cell(load(built / LESSON), folded[2])["metadata"]["jupyter"] == {"source_hidden": True}


def test_a_quiz_is_found_beside_other_code_and_not_where_it_is_only_named() -> None:
    asks = "```{code-cell}\nawait given()\nshown = [quiz(question)]\n```"
    names = "```{code-cell}\nfrom unblocked import quiz  # quiz(…)\n```"
    magic = "```{code-cell}\n%time quiz\n```"
    cells = _cells.read_myst("\n\n".join([asks, names, magic]))
    assert [cell.metadata.get("jupyter") for cell in cells] == [{"source_hidden": True}, None, None]


def test_ids_are_made_of_slug_heading_and_number(built: Path) -> None:
    ids = [cell["id"] for cell in load(built / LESSON)["cells"]]
    assert ids[:2] == ["l01-predict-text-1", "l01-predict-code-1"]
    assert len(set(ids)) == len(ids)


def test_an_id_that_would_be_too_long_is_cut_and_stays_one_of_its_own(root: Path) -> None:
    page = root / "course/deeper/what-it-costs.md"
    long = page.with_name(f"{'what-it-costs-' * 4}in-all.md")
    headings = "\n\n".join(f"## The {n}th heading which says a lot\n\nText." for n in range(3))
    long.write_text(f"{page.read_text('utf-8')}\n{headings}\n", "utf-8")
    build.write(root)
    ids = [c["id"] for c in load(root / f"notebooks/deeper/{long.stem}.ipynb")["cells"]]
    assert len(set(ids)) == len(ids) > 2
    assert max(map(len, ids)) <= 64


def test_a_new_cell_moves_no_id_of_another_section(built: Path) -> None:
    before = [cell["id"] for cell in load(built / LESSON)["cells"]]
    source = built / "course/lessons/01-counting.md"
    text = source.read_text("utf-8")
    source.write_text(text.replace("## Quiz\n", "## Quiz\n\n```{code-cell}\n1\n```\n"), "utf-8")
    build.write(built)
    after = [cell["id"] for cell in load(built / LESSON)["cells"]]
    assert [cell_id for cell_id in before if cell_id not in after] == []


def test_the_solution_never_reaches_the_exercise(built: Path) -> None:
    assert "solved = True" in (built / SOLUTION).read_text("utf-8")
    assert "solved" not in (built / EXERCISE).read_text("utf-8")


def test_the_answer_cell_begins_with_its_marker(built: Path) -> None:
    for name in (EXERCISE, SOLUTION):
        lines = "".join(cell(load(built / name), "add-up")["source"]).splitlines()
        assert lines[0] == "# exercise: add-up"


def test_solving_in_place_keeps_in_step_and_survives(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(built / EXERCISE, solve)
    assert in_step(built)
    kept = (built / EXERCISE).read_bytes()
    capsys.readouterr()
    build.write(built)
    assert (built / EXERCISE).read_bytes() == kept
    said = capsys.readouterr().out
    assert EXERCISE in said
    assert "unblocked reset add-up" in said


@pytest.mark.parametrize("name", [EXERCISE, LESSON, DEEPER, SOLUTION])
def test_running_a_notebook_keeps_in_step(built: Path, name: str) -> None:
    change(built / name, run_it)
    assert in_step(built)


def add_a_cell(notebook: Any) -> None:
    mine = {"cell_type": "code", "id": "mine", "metadata": {}, "outputs": []}
    notebook["cells"].insert(4, {**mine, "execution_count": None, "source": "mine = 1"})


def play(notebook: Any) -> None:
    cell(notebook, "add-up-try-code-1")["source"] = "print('mine')"


def split(notebook: Any) -> None:
    """As JupyterLab splits: the head is a copy with a new id, the tail keeps the old one."""
    place = notebook["cells"].index(cell(notebook, "add-up"))
    tail = notebook["cells"][place]
    notebook["cells"].insert(place, {**tail, "id": "head", "source": "# exercise: add-up\nx = 1"})
    tail["source"] = "app = x"


@pytest.mark.parametrize("edit", [solve, add_a_cell, play, split])
def test_a_learners_work_is_kept_when_the_course_moves_on(
    built: Path, edit: Callable[[Any], object]
) -> None:
    change(built / EXERCISE, edit)
    assert in_step(built)
    kept = (built / EXERCISE).read_bytes()
    starter = built / "course/exercises/add-up/starter.py"
    starter.write_text("app = 0  # TODO: begin\n", "utf-8")
    build.write(built)
    assert (built / EXERCISE).read_bytes() == kept


def test_an_untouched_exercise_follows_the_course(built: Path) -> None:
    change(built / EXERCISE, run_it)
    (built / "course/exercises/add-up/starter.py").write_text("app = 0  # TODO: begin\n", "utf-8")
    assert not in_step(built)
    build.write(built)
    assert "app = 0" in (built / EXERCISE).read_text("utf-8")
    assert in_step(built)


def reword(notebook: Any) -> None:
    cell(notebook, "add-up-statement-text-1")["source"] = "Do as you like."


def unlock(notebook: Any) -> None:
    cell(notebook, "add-up-check")["metadata"]["nbgrader"]["points"] = 99


def lose_the_answer(notebook: Any) -> None:
    notebook["cells"].remove(cell(notebook, "add-up"))


@pytest.mark.parametrize("edit", [reword, unlock, lose_the_answer])
def test_other_changes_of_an_exercise_are_listed(
    built: Path, edit: Callable[[Any], object], capsys: pytest.CaptureFixture[str]
) -> None:
    change(built / EXERCISE, solve)
    change(built / EXERCISE, edit)
    assert not in_step(built)
    assert capsys.readouterr().out.splitlines() == [EXERCISE]


@pytest.mark.parametrize("name", [LESSON, DEEPER, SOLUTION])
def test_changed_pages_are_listed(
    built: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(built / name, lambda notebook: notebook["cells"][1].update(source="changed"))
    assert not in_step(built)
    assert capsys.readouterr().out.splitlines() == [name]


def test_missing_and_broken_files_are_listed(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (built / LESSON).unlink()
    (built / SOLUTION).write_text('{"cells": [', "utf-8")
    (built / EXERCISE).write_text("[]", "utf-8")
    assert not in_step(built)
    assert set(capsys.readouterr().out.splitlines()) == {LESSON, SOLUTION, EXERCISE}


def test_a_changed_map_is_listed(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (built / "README.md").read_text("utf-8")
    (built / "README.md").write_text(text.replace("20 min", "2 min"), "utf-8")
    assert not in_step(built)
    assert capsys.readouterr().out.splitlines() == ["README.md"]


def test_a_notebook_that_lost_its_source_goes_unless_a_learner_wrote_in_it(built: Path) -> None:
    change(built / EXERCISE, solve)
    (built / "course/lessons/00-start.md").unlink()
    (built / "course/deeper/what-it-costs.md").unlink()
    (built / "course/glossary.md").unlink()
    (built / "course/paths.toml").unlink()
    for path in (built / "course/exercises/add-up").rglob("*.*"):
        path.unlink()
    (built / "course/exercises/add-up/right").rmdir()
    (built / "course/exercises/add-up/wrong").rmdir()
    (built / "course/exercises/add-up").rmdir()
    assert not in_step(built)
    build.write(built)
    assert not (built / "notebooks/00-start.ipynb").exists()
    assert not (built / SOLUTION).exists()
    assert not (built / DEEPER).exists()
    assert not (built / "notebooks/glossary.ipynb").exists()
    assert (built / EXERCISE).exists()


def first_and_last(notebook: Any) -> tuple[str, str]:
    cells = notebook["cells"]
    return "".join(cells[0]["source"]), "".join(cells[-1]["source"])


def test_a_deeper_page_links_back_to_the_lessons_that_lead_to_it(built: Path) -> None:
    first, last = first_and_last(load(built / DEEPER))
    back = "[← 01 · Counting](../01-counting.ipynb) | [The map](../00-start.ipynb)"
    assert first.startswith(f"{back}\n\n# What it costs\n\n**10 minutes**")
    assert last.endswith(back)


@pytest.mark.parametrize("name", [LESSON, DEEPER])
def test_a_page_names_the_versions_that_it_was_tried_with(built: Path, name: str) -> None:
    pins = "FastAPI 1.2.0, Starlette 1.2.1, HTTPX 1.2.2, uvicorn 1.2.3, AnyIO 1.2.4"
    assert f"*Tried with {pins}.*" in first_and_last(load(built / name))[1]


def test_a_lesson_in_short_lacks_sections_and_leads_to_the_whole(built: Path) -> None:
    short = load(built / SHORT)
    text = json.dumps(short)
    assert "## Summary" in text
    assert "## Quiz" not in text
    assert "quiz(" not in text.replace("import predict, quiz", "")
    first, last = first_and_last(short)
    assert "# 01 · Counting, in short\n\n**5 minutes**" in first
    assert "[the whole lesson](01-counting.ipynb)" in first
    assert "[Add up](../exercises/add-up.ipynb)" in last


def test_a_short_lesson_that_no_path_has_any_more_is_removed(built: Path) -> None:
    paths = built / "course/paths.toml"
    paths.write_text(paths.read_text("utf-8").replace(', leave_out = ["Quiz"]', ""), "utf-8")
    assert not in_step(built)
    build.write(built)
    assert not (built / SHORT).exists()
    assert in_step(built)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('lesson = "00-start"', 'lesson = "00-gone"', "no lesson or exercise '00-gone'"),
        ('exercise = "add-up"', 'exercise = "gone"', "no lesson or exercise 'gone'"),
    ],
)
def test_a_path_to_what_is_not_there_is_told(built: Path, old: str, new: str, told: str) -> None:
    paths = built / "course/paths.toml"
    paths.write_text(paths.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(CourseError, match=told):
        build.write(built)


def test_headings_in_code_end_no_section() -> None:
    text = "## A\n\n```\n## B\n```\n\n### C\n\nc\n\n## D\n\nd\n"
    assert without_sections(text, ("A",)) == "## D\n\nd\n"
    assert without_sections(text, ("C",)) == text.replace("### C\n\nc\n\n", "")


def test_moved_pins_put_the_lessons_out_of_step(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pins = built / "requirements.txt"
    pins.write_text(pins.read_text("utf-8").replace("httpx==1.2.2", "httpx==1.3 ; x"), "utf-8")
    (built / "environment.yml").write_text("dependencies:\n  - python=3.12 # exactly\n", "utf-8")
    capsys.readouterr()
    assert not in_step(built)
    assert LESSON in capsys.readouterr().out
    build.write(built)
    assert "*Tried with Python 3.12, FastAPI" in first_and_last(load(built / LESSON))[1]
    assert "HTTPX 1.3, " in first_and_last(load(built / LESSON))[1]


def test_a_pin_that_is_missing_is_told(built: Path) -> None:
    (built / "requirements.txt").write_text("fastapi==1\n", "utf-8")
    with pytest.raises(CourseError, match="pins no starlette"):
        build.write(built)


def test_the_glossary_has_a_heading_a_meaning_and_a_lesson_for_each_term(built: Path) -> None:
    cells = load(built / "notebooks/glossary.ipynb")["cells"]
    assert ["".join(cell["source"]).splitlines() for cell in cells[1:]] == [
        [
            "## event loop",
            "",
            "What runs one task after the other. → [01 · Counting](01-counting.ipynb)",
        ],
        [
            "## permit",
            "",
            "What one must have before one may go on. → [00 · Start](00-start.ipynb)",
        ],
    ]


def test_a_lesson_that_measures_live_has_a_layout_beside_it(root: Path) -> None:
    lesson = root / "course/lessons/01-counting.md"
    text = lesson.read_text("utf-8")
    live = "\n```{code-cell}\nresult = await compare({}, users=1)\n```\n"
    lesson.write_text(text + live, "utf-8")
    build.write(root)
    layout = root / "notebooks/side-by-side/01-counting.jupyterlab-workspace"
    data = load(layout)["data"]
    dock = data["layout-restorer:data"]["main"]["dock"]
    shown = [data[area["widgets"][0]]["data"] for area in dock["children"]]
    assert [view["path"] for view in shown] == [LESSON, LESSON]
    cells = load(root / LESSON)["cells"]
    assert "await compare(" in "".join(cells[shown[1]["index"]]["source"])
    assert f"(side-by-side/{layout.name})" in "".join(cells[0]["source"])
    assert in_step(root)

    lesson.write_text(text, "utf-8")
    assert not in_step(root)
    build.write(root)
    assert not layout.exists()


def test_a_learners_own_notebook_is_left_alone(built: Path) -> None:
    own = built / "exercises/my-notes.ipynb"
    own.write_bytes((built / EXERCISE).read_bytes().replace(b"unblocked", b"other"))
    assert in_step(built)
    build.write(built)
    assert own.exists()


def test_a_copy_for_learners_holds_nothing_solved(at_home: Path, tmp_path: Path) -> None:
    build.write(at_home)
    change(at_home / EXERCISE, solve)
    (at_home / ".git").mkdir()
    (at_home / ".git" / "config").write_text("solved = True")
    out = tmp_path / "out"
    assert build.build(for_learners=out) == 0
    assert "TODO" in (out / EXERCISE).read_text("utf-8")
    assert (out / LESSON).is_file()
    assert (out / "course/exercises/add-up/checks.py").is_file()
    assert [p for p in out.rglob("*") if p.is_file() and "solved" in p.read_text("utf-8")] == []
    assert (out / DEEPER).is_file()
    assert not (out / "solutions").exists()
    assert not (out / "course/lessons/tasks").exists()
    assert in_step(out)


# What INSTRUCTORS.md lets lie in the course's folder, and what an editor or a learner leaves there.
NOT_FOR_LEARNERS = (
    "submissions/ada/fan-out.ipynb",
    "marks/grades.csv",
    "private/exercises/exam/checks.py",
    "class/gradebook.db",
    "class.csv",
    "gradebook.db",
    "my-unblocked-work.zip",
    "jupyterhub_config.py",
    "venv/bin/python",
    ".venv/bin/python",
    ".env",
    "bench/results.py",
    "exercises/add-up.2026-01-01-120000-000000.ipynb",
    "src/unblocked/__pycache__/x.pyc",
    "notebooks/.ipynb_checkpoints/x.ipynb",
)


def test_a_copy_for_learners_holds_nothing_of_the_class(
    at_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NOT_FOR_LEARNERS:
        (at_home / name).parent.mkdir(parents=True, exist_ok=True)
        (at_home / name).write_text("secret")
    out = tmp_path / "out"
    assert build.build(for_learners=out) == 0
    assert [p for p in out.rglob("*") if p.is_file() and p.read_text("utf-8") == "secret"] == []
    said = capsys.readouterr().out
    assert "class, class.csv, gradebook.db" in said
    assert ".venv" not in said


@pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="needs a clone")
@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_copy_for_learners_holds_what_the_course_needs() -> None:
    """All that lies under version control here, but for what is left out by name."""
    listed = ["git", "ls-tree", "--name-only", "HEAD"]
    done = subprocess.run(listed, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    left_out = {".ci", ".github", "bench", "exercises", "solutions", "tests"}
    assert set(done.stdout.split()) - left_out == set(handout.HANDED_OUT)


def test_a_copy_for_learners_may_lie_inside_the_course(at_home: Path) -> None:
    out = at_home / "handout"
    assert build.build(for_learners=out) == 0
    assert not (out / "handout").exists()


def test_a_copy_for_learners_overwrites_nothing(at_home: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(CourseError, match="empty folder"):
        build.build(for_learners=tmp_path / "out")


def test_a_package_is_not_where_the_course_is_written(at_home: Path) -> None:
    (at_home / "pyproject.toml").unlink()
    with pytest.raises(CourseError, match="clone"):
        build.build()
