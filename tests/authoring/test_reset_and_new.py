"""A starter that comes back, and a room that is made."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from unblocked.authoring import build
from unblocked.authoring.new import new_exercise
from unblocked.authoring.notebooks import read_notebook
from unblocked.authoring.reset import reset
from unblocked.course import CourseError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def solved(at_home: Path) -> Path:
    build.write(at_home)
    solve(at_home / "exercises/add-up.ipynb")
    return at_home


def solve(path: Path) -> None:
    notebook = json.loads(path.read_text("utf-8"))
    answer = next(cell for cell in notebook["cells"] if cell["id"] == "add-up")
    answer["source"] = "# exercise: add-up\nmine = True"
    notebook["cells"].append({**answer, "id": "a-copy"})
    path.write_text(json.dumps(notebook), "utf-8")


@pytest.fixture
def no_jupytext(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jupytext", None)


def test_the_starter_is_back_and_what_was_there_is_kept(
    solved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reset("add-up") == 0
    kept = [path for path in (solved / "exercises").iterdir() if path.name != "add-up.ipynb"]
    assert len(kept) == 1
    assert kept[0].name in capsys.readouterr().out
    assert "mine" in kept[0].read_text("utf-8")
    assert "TODO" in (solved / "exercises/add-up.ipynb").read_text("utf-8")
    assert build.check_step(solved) == 0


def test_the_copies_do_not_replace_each_other(solved: Path) -> None:
    for _ in range(2):
        reset("add-up")
        solve(solved / "exercises/add-up.ipynb")
    assert len(list((solved / "exercises").iterdir())) == 3


def test_an_untouched_starter_stays_as_it_is(at_home: Path) -> None:
    build.write(at_home)
    assert reset("add-up") == 0
    assert len(list((at_home / "exercises").iterdir())) == 1


@pytest.mark.parametrize("state", ["solved", "missing", "broken"])
def test_without_the_authors_tools_it_comes_back_the_same(
    solved: Path, state: str, no_jupytext: None
) -> None:
    path = solved / "exercises/add-up.ipynb"
    if state == "missing":
        path.unlink()
    if state == "broken":
        path.write_text("{")
    assert reset("add-up") == 0
    text = path.read_text("utf-8")
    assert "mine" not in text
    assert "solved" not in text
    ids = [cell["id"] for cell in json.loads(text)["cells"]]
    assert {"add-up", "add-up-check", "add-up-try-code-1"} <= set(ids)
    assert "a-copy" not in ids
    assert read_notebook(path) is not None


def test_without_anything_to_make_it_from_the_mend_is_told(solved: Path, no_jupytext: None) -> None:
    (solved / "exercises/add-up.ipynb").unlink()
    (solved / "solutions/add-up.ipynb").unlink()
    with pytest.raises(CourseError, match="git checkout"):
        reset("add-up")


def test_an_unknown_exercise_is_told_the_nearest(at_home: Path) -> None:
    with pytest.raises(CourseError, match="'add-up'"):
        reset("ad-up")


def test_a_new_room_can_be_built_and_fails_its_contract(
    at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new_exercise("two-words") == 0
    said = capsys.readouterr().out
    assert "wrong/ has 1 answers" in said
    assert "starter.py is the solution" in said
    build.write(at_home)
    assert (at_home / "exercises/two-words.ipynb").is_file()


def test_a_room_is_not_made_twice(at_home: Path) -> None:
    with pytest.raises(CourseError, match="already"):
        new_exercise("add-up")


@pytest.mark.parametrize("slug", ["Big", "two words", "../up", "a--b", "", "é"])
def test_a_slug_is_words_and_hyphens(at_home: Path, slug: str) -> None:
    with pytest.raises(CourseError, match="slug"):
        new_exercise(slug)
