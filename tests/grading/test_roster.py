"""Whose marks are whose, and which tables and pages a class's marks become."""

from __future__ import annotations

import argparse
import csv
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from test_reports import result

from unblocked.grading.classroom import grade as classroom
from unblocked.grading.classroom import pages, roster, written
from unblocked.grading.classroom.results import ResultsFile
from unblocked.grading.classroom.submissions import Found, find

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def report(out: Path, *results: dict[str, Any], **more: Any) -> None:
    found = Found([], [("x;=1+1;y.txt", "neither a notebook nor Python")])
    classroom._report(out, list(results), found, ["relay", "gather"], None, [], **more)


def test_a_page_that_cannot_be_written_leaves_the_tables_whole(tmp_path: Path) -> None:
    (tmp_path / "feedback").write_text("no folder")
    with pytest.raises(OSError, match="feedback"):
        report(tmp_path, result("ada"))
    assert [row["student_id"] for row in read(tmp_path / "grades.csv")] == ["ada"]
    assert [row["file"] for row in read(tmp_path / "not-marked.csv")] == ["x;'=1+1;y.txt"]
    assert (tmp_path / "summary.html").exists()


def test_the_time_in_the_marks_is_that_of_submission(tmp_path: Path) -> None:
    folder = tmp_path / "class"
    for learner in ("ada", "bob"):
        (folder / learner).mkdir(parents=True)
        (folder / learner / "relay.py").write_text("app = 1")
    (folder / "ada" / "timestamp.txt").write_text("2026-01-02 03:04:05.678901 UTC")
    found = find(folder, ["relay"])
    classroom._report(tmp_path, [result("ada"), result("bob")], found, ["relay"], None, [])
    assert {row["student_id"]: row["timestamp"] for row in read(tmp_path / "grades.csv")} == {
        "ada": "2026-01-02 03:04:05.678901",
        "bob": "",
    }


def marked(tmp_path: Path, people: str, *files: str) -> tuple[dict[str, list[str]], str]:
    """Who has points in grades.csv, as many as the place of the file, and the remarks."""
    (tmp_path / "roster.csv").write_text(people)
    listed = roster.read(tmp_path / "roster.csv")
    for points, name in enumerate(files, 1):
        path = tmp_path / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"app = {points}")
    found = find(tmp_path / "class", ["relay"], named=partial(classroom._named, roster=listed))
    points_of = {one: int(one.file.read().split()[-1]) for one in found.submissions}
    results = [result(one.learner, points) for one, points in points_of.items()]
    args = argparse.Namespace(folder=tmp_path / "class", out=tmp_path)
    with ResultsFile(tmp_path) as results_file:
        remarks = list(classroom._remarks(args, found, listed, results_file))
    classroom._report(tmp_path, results, found, ["relay"], listed, remarks)
    marks: dict[str, list[str]] = {}
    for row in read(tmp_path / "grades.csv"):
        marks.setdefault(row["student_id"], []).append(row["score"])
    return marks, " ".join(remarks)


def test_namesakes_in_the_roster_are_nobodys(tmp_path: Path) -> None:
    marks, remarks = marked(
        tmp_path, "name\nJohn Smith\nJohn Smith\nAda Byron\n", "John Smith/relay.py", "Ada Byron.py"
    )
    assert marks.pop("John Smith") == ["", ""]
    assert marks == {"Ada Byron": [""], "John Smith (not in the roster)": ["1"]}
    assert "Not in the roster, so in grades.csv alone: John Smith (1 in all): several" in remarks


LIST = "student_id,first_name,last_name\nst1,John,Smith\nst2,Ada,Byron\n"


def test_two_of_the_platforms_learners_are_not_one_of_the_roster(tmp_path: Path) -> None:
    files = ("smithjohn_11_100_relay.py", "smithjohn_12_101_relay.py", "byronada_13_102_relay.py")
    marks, remarks = marked(tmp_path, LIST, *files)
    assert marks == {"st1": [""], "st2": ["3"], "smithjohn_11": ["1"], "smithjohn_12": ["2"]}
    assert "smithjohn_11, smithjohn_12 (2 in all): the platform has several learners" in remarks
    assert "a newer attempt" not in (tmp_path / "not-marked.csv").read_text()


def test_several_attempts_of_one_number_are_one_learners(tmp_path: Path) -> None:
    files = ("smithjohn_11_100_relay.py", "smithjohn_LATE_11_105_relay.py", "John Smith/relay.py")
    marks, remarks = marked(tmp_path, LIST, *files)
    assert marks == {"st1": ["2"], "st2": [""]}
    assert "Not in the roster" not in remarks


GRADEBOOK = """Student,ID,SIS User ID,SIS Login ID,Section
"Byron, Ada",1001,S1,ada,A
"Smith, Bob",1002,4711,bob,A
"""


def test_the_platforms_number_is_that_of_its_own_column(tmp_path: Path) -> None:
    files = ("evemallory_4711_100_relay.py", "byronada_1001_101_relay.py")
    marks, remarks = marked(tmp_path, GRADEBOOK, *files)
    assert marks == {"1001": ["2"], "1002": [""], "evemallory": ["1"]}
    assert "evemallory (1 in all). Correct" in remarks


def test_who_takes_anothers_name_keeps_the_own_number(tmp_path: Path) -> None:
    files = ("smithbob_66_100_relay.py", "byronada_1001_101_relay.py")
    marks, remarks = marked(tmp_path, GRADEBOOK, *files)
    assert marks == {"1001": ["2"], "1002": [""], "smithbob": ["1"]}
    assert "smithbob (1 in all): who has this name there has another number" in remarks
    (tmp_path / "class" / "smithbob_1002_103_relay.py").write_text("app = 3")
    marks, remarks = marked(tmp_path, GRADEBOOK, *files)
    assert marks == {"1001": ["2"], "1002": ["3"], "smithbob": ["1"]}


def test_a_name_that_is_the_number_of_one_and_the_id_of_another_is_nobodys(tmp_path: Path) -> None:
    people = "name,id,student_id\nAda,7,1\nBob,8,7\n"
    marks, remarks = marked(tmp_path, people, "7/relay.py", "Ada/relay.py")
    assert marks == {"7": ["2"], "8": [""], "7 (2)": ["1"]}
    assert "several there" in remarks


def test_two_lines_with_one_id_are_two_learners(tmp_path: Path) -> None:
    people = "student_id,name\n7,Ada\n7,Bob\n"
    marks, remarks = marked(tmp_path, people, "Ada/relay.py", "Bob/relay.py")
    assert (marks, remarks) == ({"7": ["1", "2"]}, "")
    assert len(list((tmp_path / "feedback").iterdir())) == 2


WORKSHEET = """Identifier,Full name,Email address,Grade,Feedback comments
Participant 77,Ada Byron,a@x.org,,
Participant 78,John Smith,j@x.org,,
Participant 79,John Smith,k@x.org,,
"""


def test_moodles_numbers_tell_namesakes_apart(tmp_path: Path) -> None:
    of_moodle = "assignsubmission_file_relay.py"
    files = [f"John Smith_{number}_{of_moodle}" for number in (78, 79, 80)]
    marks, remarks = marked(tmp_path, WORKSHEET, *files)
    assert marks == {
        "Participant 77": [""],
        "Participant 78": ["1"],
        "Participant 79": ["2"],
        "John Smith": ["3"],
    }
    assert "John Smith (1 in all): several there" in remarks
    assert [row["Grade"] for row in read(tmp_path / "moodle.csv")] == ["", "1", "2"]


def test_a_list_that_holds_no_numbers_of_this_assignment_goes_by_names(tmp_path: Path) -> None:
    name = "Ada Byron_977_assignsubmission_file_relay.py"
    marks, remarks = marked(tmp_path, WORKSHEET, name)
    assert marks["Participant 77"] == ["1"]
    assert "is it the list of another assignment" in remarks


def test_canvas_numbers_are_not_those_of_another_list(tmp_path: Path) -> None:
    people = "id,first_name,last_name\n11,Ada,Byron\n12,John,Smith\n"
    marks, remarks = marked(tmp_path, people, "smithjohn_11_100_relay.py")
    assert (marks, remarks) == ({"11": [""], "12": ["1"]}, "")


def of(slug: str, learner: str) -> dict[str, Any]:
    return result(learner) | {"exercise": slug}


def write_all(out: Path, people: str | None, *results: dict[str, Any]) -> set[str]:
    """What lies in the folder of marks after a run with these results."""
    listed = None
    if people:
        (out.parent / "roster.csv").write_text(people)
        listed = roster.read(out.parent / "roster.csv")
    out.mkdir(exist_ok=True)
    classroom._report(out, list(results), Found([], []), ["relay", "gather"], listed, [])
    return {str(path.relative_to(out)) for path in _files(out)}


def _files(out: Path) -> list[Path]:
    return [path for path in out.rglob("*") if path.is_file() and path.name != ".written.json"]


ALWAYS = {"grades.csv", "not-marked.csv", "summary.html"}


def test_a_run_removes_the_tables_and_pages_that_it_no_longer_writes(tmp_path: Path) -> None:
    out = tmp_path / "marks"
    page = "feedback/{}/{}.html"
    one = {"canvas.csv", page.format("ada", "relay")}
    assert write_all(out, GRADEBOOK, of("relay", "ada")) == ALWAYS | one
    one = {"moodle.csv", page.format("ada", "relay")}
    assert write_all(out, WORKSHEET, of("relay", "ada")) == ALWAYS | one
    two = {"moodle-relay.csv", "moodle-gather.csv"}
    pages_of = {page.format("Ada", "relay"), page.format("Ada", "gather")}
    both = [of("relay", "Ada"), of("gather", "Ada")]
    assert write_all(out, WORKSHEET, *both) == ALWAYS | two | pages_of
    assert not (out / "feedback" / "ada").exists()
    assert write_all(out, None, of("relay", "Ada")) == ALWAYS | {page.format("Ada", "relay")}


def test_what_the_instructor_put_there_stays(tmp_path: Path) -> None:
    out = tmp_path / "marks"
    own = {
        "results.jsonl": "{}\n",
        "canvas.csv": "Student,ID,SIS User ID,SIS Login ID,Section,Essay (12)\n",
        "moodle.csv": "Identifier,Full name,Status,Grade,Maximum Grade,Grade can be changed,"
        "Last modified (submission),Last modified (grade),Feedback comments\n",
        "moodle-relay.csv": "",
        "moodle-week1.csv": "Identifier,Grade,Maximum Grade,Feedback comments\n",
        "feedback/ada/relay.html": "<p>See me.</p>",
        "feedback/ada/gather.html": "<!doctype html><html lang=en><head><title>gather</title>",
        "feedback/notes.html": "",
    }
    for name, text in own.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
    assert write_all(out, None, of("relay", "bob")) == ALWAYS | {*own, "feedback/bob/relay.html"}
    assert all((out / name).read_text() == text for name, text in own.items())
    (out / "canvas.csv").write_text("Student,ID,Section\n")
    assert "canvas.csv" in write_all(out, None)


@pytest.mark.skipif(sys.platform == "win32", reason="makes links")
def test_a_page_that_another_name_shows_is_not_removed(tmp_path: Path) -> None:
    """Names that differ in case, or in how accents are stored, are one on some disks."""
    page = pages.feedback(tmp_path / "feedback", result("Ada"), "Ada")
    (tmp_path / "feedback" / "ada").mkdir()
    os.link(page, tmp_path / "feedback" / "ada" / "relay.html")
    written.remove_stale(tmp_path, [page], ["relay"])
    assert (tmp_path / "feedback" / "ada" / "relay.html").exists()
