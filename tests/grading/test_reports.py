"""The tables an instructor uploads, and the pages learners read."""

from __future__ import annotations

import csv
import errno
import json
from typing import TYPE_CHECKING, Any

import pytest

from unblocked.grading.classroom import canvas, moodle, pages, reports, roster, summary
from unblocked.grading.classroom.results import Busy, ResultsFile

if TYPE_CHECKING:
    from pathlib import Path


def table_of(
    people: roster.Roster, slugs: list[str], *results: dict[str, Any]
) -> list[reports.Row]:
    """The rows, each result's learner found in the roster by name."""
    found = {r["learner"]: people.find(r["learner"]) for r in results}
    listed = {who: learner for who, learner in found.items() if learner}
    return reports.rows(results, people, slugs, listed)


CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Assignment 1 (9)
    Points Possible,,,,,10
"Lovelace, Ada",1001,S1,ada,A,
"Noether, Emmy",1002,S2,emmy,A,
"""


def result(learner: str, points: int = 2, **more: Any) -> dict[str, Any]:
    check = {"name": "a <b>", "passed": False, "points": 0, "max_points": 1, "message": "Saw: <x>"}
    return {
        "learner": learner,
        "exercise": "relay",
        "points": points,
        "max_points": 6,
        "outcome": "graded",
        "checks": [check],
        "isolation": "limits",
        "seconds": 1.0,
        "course_version": "1",
        "file": "a.py",
        "sha256": "0" * 64,
        "marked_at": "2026-01-01T00:00:00+00:00",
        **more,
    }


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def class_of(tmp_path: Path, text: str) -> roster.Roster:
    file = tmp_path / "roster.csv"
    file.write_text(text)
    return roster.read(file)


@pytest.mark.parametrize(
    "name", ["lovelaceada", "Ada Lovelace", "1001", "S1", "ada", "lovelace-ada"]
)
def test_a_learner_is_found_by_any_name(tmp_path: Path, name: str) -> None:
    found = class_of(tmp_path, CANVAS).find(name)
    assert found is not None
    assert (found.id, found.first, found.last) == ("1001", "Ada", "Lovelace")


def test_the_points_possible_line_is_no_learner(tmp_path: Path) -> None:
    assert [x.last for x in class_of(tmp_path, CANVAS).learners] == ["Lovelace", "Noether"]


def test_moodles_columns(tmp_path: Path) -> None:
    text = (
        "Identifier,Full name,Email address,Status,Grade\nParticipant 77,Ada Lovelace,a@x.org,,\n"
    )
    found = class_of(tmp_path, text).find("77")
    assert found is not None
    assert found.numbers == {("moodle", "77")}
    assert found.email == "a@x.org"


def test_a_file_without_names(tmp_path: Path) -> None:
    with pytest.raises(roster.NoRoster, match="no column of names"):
        class_of(tmp_path, "colour,size\nred,1\n")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04", "save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1", "save it as CSV"),
        ("name\n".encode("utf-16-le"), "no text: save it as CSV"),
        (b'name\n"Lovelace, Ada\nNoether\n', "quotation mark in it is opened and never closed"),
        (b"colour,size\n", "Name one of: student, full name"),
        (b"student_id,name\n", "lists nobody"),
        (b"Student,ID,Section\n    Points Possible,,\n", "lists nobody"),
    ],
)
def test_no_roster_says_what_to_do(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "roster.csv").write_bytes(data)
    with pytest.raises(roster.NoRoster, match=words):
        roster.read(tmp_path / "roster.csv")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_roster_from_any_spreadsheet(tmp_path: Path, encoding: str, separator: str) -> None:
    text = f"Full name{separator}ID\nZoë Ångström{separator}7\n\n"
    (tmp_path / "roster.csv").write_bytes(text.encode(encoding))
    found = roster.read(tmp_path / "roster.csv")
    assert [(x.id, x.name) for x in found.learners] == [("7", "Zoë Ångström")]


@pytest.mark.parametrize(
    "text",
    [
        'ID , Full name\n7, "Ångström, Zoë"\n',
        "sep=;\nID;Full name\n7;Zoë Ångström\n",
        "\n\nID,Full name\n7,Zoë Ångström\n",
        'ID,Full name,Note\n7,Zoë Ångström,5" disk\n',
        'ID,Full name\n"7" ,Zoë Ångström\n',
    ],
)
def test_a_roster_as_people_type_it(tmp_path: Path, text: str) -> None:
    found = class_of(tmp_path, text)
    assert found.columns[:2] == ("ID", "Full name")
    assert [(x.id, x.name) for x in found.learners] == [("7", "Zoë Ångström")]


def test_moodles_identifiers_in_another_language(tmp_path: Path) -> None:
    found = class_of(tmp_path, "ID,Vollständiger Name\nTeilnehmer/in1001,Ada Lovelace\n")
    assert found.find("1001") is found.learners[0]


def test_canvas_names_in_two_columns(tmp_path: Path) -> None:
    people = class_of(tmp_path, "LastName,FirstName,ID,Section\nLovelace,Ada,1001,A\n")
    canvas.write(tmp_path / "canvas.csv", [], people, {})
    assert read(tmp_path / "canvas.csv") == [
        {"LastName": "Lovelace", "FirstName": "Ada", "ID": "1001", "Section": "A"}
    ]
    assert people.learners[0].name == "Ada Lovelace"


def test_moodle_gets_a_worksheet_for_each_exercise(tmp_path: Path) -> None:
    people = class_of(
        tmp_path,
        "Identifier,Full name,Grade,Maximum Grade\nParticipant 7,Ada,,\nParticipant 8,Emmy,,\n",
    )
    slugs = {"relay": 6, "gather": 4}
    table = table_of(people, list(slugs), result("Participant 7"))
    moodle.write(tmp_path, table, people, slugs)
    ada, emmy = read(tmp_path / "moodle-relay.csv")
    assert (ada["Identifier"], ada["Grade"], ada["Maximum Grade"]) == ("Participant 7", "2", "6")
    assert (emmy["Grade"], emmy["Feedback comments"]) == ("", "")
    assert [row["Grade"] for row in read(tmp_path / "moodle-gather.csv")] == ["", ""]
    canvas.write(tmp_path / "canvas.csv", table, people, slugs)
    assert not (tmp_path / "canvas.csv").exists()


@pytest.mark.parametrize(
    ("maximum", "grades"),
    [("100.00", ("33.33", "100.00")), ("100,00", ("33,33", "100,00")), ("6.00", ("2", "6.00"))],
)
def test_moodles_grades_are_on_the_worksheets_scale(
    tmp_path: Path, maximum: str, grades: tuple[str, str]
) -> None:
    text = f'Identifier,Full name,Grade,Maximum Grade\nParticipant 7,Ada,,"{maximum}"\n'
    people = class_of(tmp_path, text)
    table = table_of(people, ["relay"], result("Participant 7"))
    moodle.write(tmp_path, table, people, {"relay": 6})
    [ada] = read(tmp_path / "moodle.csv")
    assert (ada["Grade"], ada["Maximum Grade"]) == grades


def test_absent_is_not_zero(tmp_path: Path) -> None:
    people = class_of(tmp_path, CANVAS)
    table = table_of(people, ["relay"], result("1001", 0))
    reports.grades(tmp_path / "grades.csv", table, {"relay": 6})
    scores = {row["last_name"]: row["score"] for row in read(tmp_path / "grades.csv")}
    assert scores == {"Lovelace": "0", "Noether": ""}


def test_canvas_gets_its_own_columns_back(tmp_path: Path) -> None:
    people = class_of(tmp_path, CANVAS)
    table = table_of(people, ["relay"], result("1001"))
    canvas.write(tmp_path / "canvas.csv", table, people, {"relay": 6})
    ada, emmy = read(tmp_path / "canvas.csv")
    assert (ada["Student"], ada["ID"], ada["SIS User ID"], ada["relay"]) == (
        "Lovelace, Ada",
        "1001",
        "S1",
        "2",
    )
    assert emmy["relay"] == ""


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_no_cell_is_a_formula(tmp_path: Path, name: str) -> None:
    reports.grades(tmp_path / "g.csv", reports.rows([result(name)], None, ["relay"]), {"relay": 6})
    assert read(tmp_path / "g.csv")[0]["student_id"] == f"'{name}"


@pytest.mark.parametrize("separator", [";", "\t", ","])
@pytest.mark.parametrize("name", ["x;=1+1;y", "x;;\t=1+1\ty", 'x;"=1+1;y', "x; @A1;y", "x\n=1+1;y"])
def test_no_cell_is_a_formula_whatever_the_list_separator_is(
    tmp_path: Path, name: str, separator: str
) -> None:
    table = reports.rows([result(name)], None, ["relay"])
    reports.grades(tmp_path / "g.csv", table, {"relay": 6})
    with (tmp_path / "g.csv").open(newline="", encoding="utf-8") as file:
        cells = [cell for line in csv.reader(file, delimiter=separator) for cell in line]
    assert not [cell for cell in cells if cell.strip(' "')[:1] in tuple("=+-@")]


def test_every_cell_of_a_line_is_quoted(tmp_path: Path) -> None:
    table = reports.rows([result("ada")], None, ["relay"])
    reports.grades(tmp_path / "g.csv", table, {"relay": 6})
    line = (tmp_path / "g.csv").read_text().splitlines()[1]
    assert all(cell[0] == cell[-1] == '"' for cell in line.split(","))
    assert [float(read(tmp_path / "g.csv")[0][name]) for name in ("score", "max_score")] == [2, 6]


@pytest.mark.parametrize("name", ["a,b", 'q"uote', "José 漢字", "new\nline"])
def test_names_come_through(tmp_path: Path, name: str) -> None:
    reports.grades(tmp_path / "g.csv", reports.rows([result(name)], None, ["relay"]), {"relay": 6})
    assert read(tmp_path / "g.csv")[0]["student_id"] == name


def test_a_name_is_no_path(tmp_path: Path) -> None:
    made = [
        pages.feedback(tmp_path / "feedback", result(name), name)
        for name in ("../../evil", "..", "a/b", "a_b", "", "x" * 300)
    ]
    assert len({page.parent for page in made}) == len(made)
    assert all(page.parent.parent == tmp_path / "feedback" for page in made)


@pytest.mark.parametrize("letter", ["x", "é", "漢", "🐍"])
def test_a_long_name_is_a_name_that_file_systems_take(tmp_path: Path, letter: str) -> None:
    names = [letter * 80, letter * 300, letter * 301]
    made = [pages.feedback(tmp_path, result(name), name) for name in names]
    assert len({page.parent for page in made}) == 3
    assert all(len(page.parent.name.encode()) <= 220 for page in made)


def test_a_page_escapes_what_it_shows(tmp_path: Path) -> None:
    page = pages.feedback(tmp_path, result("ada"), "<script>alert(1)</script>").read_text()
    assert "<script>" not in page
    assert "Saw: &lt;x&gt;" in page


def test_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    with ResultsFile(tmp_path) as results_file:
        results_file.add(result("ada"))
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"learner": "bo')
    with ResultsFile(tmp_path) as results_file:
        assert [key.learner for key in results_file.results] == ["ada"]
        results_file.add(result("bob"))
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 2


def test_a_line_that_lacks_something_is_marked_again(tmp_path: Path) -> None:
    whole = result("ada")
    less = {key: value for key, value in whole.items() if key != "points"}
    (tmp_path / "results.jsonl").write_text(json.dumps(less) + "\n[]\n")
    with ResultsFile(tmp_path) as results_file:
        assert not results_file.results


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with ResultsFile(tmp_path), pytest.raises(Busy, match="Another run"), ResultsFile(tmp_path):
        pass


def test_again_keeps_what_was(tmp_path: Path) -> None:
    with ResultsFile(tmp_path) as results_file:
        results_file.add(result("ada"))
    with ResultsFile(tmp_path, again=True) as results_file:
        assert not results_file.results
        results_file.add(result("ada"))
    assert len(list(tmp_path.glob("results-before-*.jsonl"))) == 1


def test_a_table_is_written_whole_or_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "grades.csv"
    reports.write_table(path, ("a",), [("1",)])

    def full(half: Path, _: bytes) -> int:
        half.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(path), "write_bytes", full)
    with pytest.raises(OSError, match=r"grades\.csv"):
        reports.write_table(path, ("a",), [("2",)])
    assert (read(path), list(tmp_path.iterdir())) == ([{"a": "1"}], [path])


def test_the_summary_counts_in_a_class_of_one(tmp_path: Path) -> None:
    summary.summary(tmp_path / "summary.html", reports.rows([result("ada")], None, ["relay"]), [])
    assert "<td class=n>1<td>" in (tmp_path / "summary.html").read_text()
