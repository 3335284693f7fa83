"""The learners' copy: nothing solved, brought up to date, and what an instructor changed stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from unblocked import cli
from unblocked.authoring.handout import MADE, hand_out, readdress
from unblocked.course import CourseError, checkout
from unblocked.grading.checks.catch import read_bank

if TYPE_CHECKING:
    from pathlib import Path

EXERCISE = "exercises/one-client.ipynb"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    out = tmp_path / "class"
    hand_out(checkout(), out)
    return out


def test_nothing_in_it_leads_to_a_solution(copy: Path) -> None:
    assert "gh/unblocked-course" not in (copy / "README.md").read_text("utf-8")
    assert not list(copy.rglob("solution*"))
    assert (copy / "tests" / "test_this_copy.py").is_file()


def test_what_judges_is_there_and_what_solves_is_not(copy: Path) -> None:
    """No file that can be read is an answer that the full course ships, or an app that judges."""
    rooms = sorted((checkout() / "course" / "exercises").iterdir())
    assert {path.parent.name for path in copy.glob("course/exercises/*/checks.py")} == {
        room.name for room in rooms if room.is_dir()
    }
    names = ("solution.py", "right/*.py", "wrong/*.py", "apps/right/*.py", "apps/wrong.toml")
    kept_back = [path for room in rooms for name in names for path in room.glob(name)]
    kept_back += (checkout() / "course").glob("*/tasks/**/*.py")
    assert len(kept_back) > 200
    there = {path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert [path for path in kept_back if path.read_bytes() in there] == []


def test_the_same_apps_judge_in_a_copy(copy: Path) -> None:
    room = "course/exercises/catch-the-bug"
    assert not (copy / room / "apps").exists()
    assert read_bank(copy / room / "apps") == read_bank(checkout() / room / "apps")
    content = (copy / room / "apps.zip").read_bytes()
    hand_out(checkout(), copy)
    assert (copy / room / "apps.zip").read_bytes() == content  # nothing new to commit


def test_its_links_lead_to_the_classs_repository(copy: Path) -> None:
    readdress(checkout(), copy, "https://github.com/uni/class-7.git")
    for _ in range(2):
        text = (copy / "README.md").read_text("utf-8")
        assert "mybinder.org/v2/gh/uni/class-7/HEAD" in text
        assert "gh/unblocked-course" not in text
        hand_out(checkout(), copy)


def test_an_address_that_is_none_is_refused(copy: Path) -> None:
    with pytest.raises(CourseError, match="no address of a repository"):
        readdress(checkout(), copy, "uni/class")
    assert cli.main(["build", "--address", "https://github.com/a/b"]) == 2


def test_it_is_brought_up_to_date_and_changes_stay(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / EXERCISE).write_text("mine")
    (copy / "exercises" / "fan-out.ipynb").unlink()
    (copy / "dates.md").write_text("Friday")
    made = json.loads((copy / MADE).read_text())
    old = copy / "notebooks" / "gone.ipynb"
    old.write_text("an earlier lesson")
    import hashlib

    made["notebooks/gone.ipynb"] = hashlib.sha256(old.read_bytes()).hexdigest()
    lesson = "notebooks/00-start-here.ipynb"
    (copy / lesson).write_text("as it was handed out")
    made[lesson] = hashlib.sha256((copy / lesson).read_bytes()).hexdigest()
    (copy / MADE).write_text(json.dumps(made))

    hand_out(checkout(), copy)
    said = capsys.readouterr().out
    assert f"Kept as you changed them: exercises/fan-out.ipynb, {EXERCISE}" in said
    assert (copy / EXERCISE).read_text() == "mine"
    assert (copy / "dates.md").read_text() == "Friday"
    assert not old.exists()
    assert json.loads((copy / lesson).read_text("utf-8"))["nbformat"] == 4


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(CourseError, match="name a new or empty folder"):
        hand_out(checkout(), tmp_path)
