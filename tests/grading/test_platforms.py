"""Classes as platforms hand them out: whose mark is whose, and what goes back into their lists."""

from __future__ import annotations

import csv
import io
import json
import struct
import sys
import time
import zipfile
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from conftest import RIGHT
from test_classroom import WRONG, grade, results

from unblocked.course import checkout
from unblocked.grading.classroom.adjust import due
from unblocked.grading.classroom.gradescope import nothing
from unblocked.grading.classroom.gradescope import packed as packed_for_gradescope
from unblocked.grading.classroom.gradescope import results as gradescopes
from unblocked.grading.classroom.submissions import find

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from unblocked.course import Room

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks into /proc")

LANGUAGES = {
    "German": (
        "ID,Vollständiger Name,E-Mail-Adresse,Status,Bewertung,Bestwertung,Bewertung kann geändert "
        "werden,Zuletzt geändert (Abgabe),Zuletzt geändert (Bewertung),Feedback als Kommentar",
        "Teilnehmer/in",
        "Ja",
    ),
    "French": (
        "Identifiant,Nom complet,Adresse de courriel,Statut,Note,Note maximale,La note peut être "
        "modifiée,Dernière modification (travail remis),Dernière modification (note),"
        "Feedback par commentaires",
        "Participant ",
        "Oui",
    ),
    "Japanese": (
        "ID,フルネーム,メールアドレス,ステータス,評点,最大評点,評点を変更できます,"
        "最終更新日時 (提出),最終更新日時 (評点),フィードバックコメント",
        "参加者 ",
        "Yes",
    ),
    "Arabic": (
        "المعرف,الاسم الكامل,البريد,الحالة,الدرجة,أعلى درجة,يمكن تغيير الدرجة,"
        "آخر تعديل (تسليم),آخر تعديل (درجة),تعليقات",
        "مشارك",
        "نعم",
    ),
}


def worksheet(language: str, *people: tuple[str, int, str], maximum: str = "20,00") -> str:
    """A worksheet of Moodle's for people with a name, a number, and what the list holds."""
    heading, word, yes = LANGUAGES[language]
    when = "Monday, 30 November 2026, 8:14 PM"
    lines = [
        [f"{word}{number}", name, f"{number}@x.org", "-", held, maximum, yes, when, "-", ""]
        for name, number, held in people
    ]
    file = io.StringIO()
    file.write(heading + "\n")
    csv.writer(file).writerows(lines)
    return file.getvalue()


def cells(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def packed(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def of_moodle(folder: Path, **files: str) -> Path:
    """What Moodle gives out: `who_number` to the text of the answer."""
    inside = {f"{who}_assignsubmission_file/relay.py": text for who, text in files.items()}
    return packed(folder / "moodle.zip", **inside)


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_worksheet_of_any_language_comes_back_as_it_came(
    tmp_path: Path, relay: Room, language: str
) -> None:
    people = (("Käthe Jäger", 4301, ""), ("Renée O'Neill", 4302, ""), ("Karl Krank", 4303, "8,00"))
    list_of = written(tmp_path / "list.csv", worksheet(language, *people))
    class_of = of_moodle(tmp_path, **{"Käthe Jäger_4301": RIGHT, "Renée O Neill_4302": WRONG})
    done = grade(class_of, tmp_path / "marks", relay, "--roster", list_of)
    assert done.returncode == 0, done.stderr
    heading, *lines = cells(tmp_path / "marks" / "moodle.csv")
    assert heading == LANGUAGES[language][0].split(",")
    assert [(line[1], line[4], line[5]) for line in lines] == [
        ("Käthe Jäger", "20", "20,00"),
        ("Renée O'Neill", "3,33", "20,00"),
        ("Karl Krank", "8,00", "20,00"),
    ]
    assert [bool(line[9]) for line in lines] == [True, True, False]
    assert "Absent (1): Karl Krank" in done.stderr


def test_what_a_lecturer_wrote_is_kept_and_told_unless_it_is_to_be_overwritten(
    tmp_path: Path, relay: Room
) -> None:
    list_of = written(tmp_path / "list.csv", worksheet("German", ("Ada Byron", 71, "10,00")))
    class_of = of_moodle(tmp_path, **{"Ada Byron_71": RIGHT})
    done = grade(class_of, tmp_path / "marks", relay, "--roster", list_of)
    assert "Kept as the list holds it, 1 in all: Ada Byron" in done.stderr
    assert cells(tmp_path / "marks" / "moodle.csv")[1][4] == "10,00"
    assert "the list holds 10,00, the grader gave 20" in (
        tmp_path / "marks" / "summary.html"
    ).read_text("utf-8")
    grade(class_of, tmp_path / "marks", relay, "--roster", list_of, "--overwrite")
    assert cells(tmp_path / "marks" / "moodle.csv")[1][4] == "20"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (("Teilnehmer/in72", "somebody"), "line 3: 'somebody' is no identifier"),
        (("Teilnehmer/in72", "Teilnehmer/in71"), "lines 2 and 3: both have the number 71"),
        (("20,00", "Ungenügend"), "looks like Moodle's grading worksheet"),
    ],
)
def test_a_worksheet_that_cannot_be_told_is_refused_before_anything_is_marked(
    tmp_path: Path, relay: Room, changed: tuple[str, str], words: str
) -> None:
    people = [(f"Learner {n}", n, "") for n in range(71, 86)]
    text = worksheet("German", *people).replace(*changed)
    list_of = written(tmp_path / "list.csv", text)
    class_of = of_moodle(tmp_path, **{"Learner 71_71": RIGHT})
    done = grade(class_of, tmp_path / "marks", relay, "--roster", list_of)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "marks" / "grades.csv").exists()


GROUPS = """Identifier,Full name,Email address,Status,Group,Grade,Maximum Grade,Feedback comments
Participant 4201,Ada Byron,a@x.org,-,Group A,,10.00,
Participant 4202,Bo Berg,b@x.org,-,Group A,,10.00,
Participant 4203,Cem Can,c@x.org,-,Group B,,10.00,
Participant 4204,Eva Ey,e@x.org,-,Default group,,10.00,
"""


def test_every_member_of_a_group_has_its_mark_and_nobody_else(tmp_path: Path, relay: Room) -> None:
    """The group's number is another participant's here, as it may be in Moodle."""
    list_of = written(tmp_path / "list.csv", GROUPS)
    class_of = of_moodle(tmp_path, **{"Group A_4203": RIGHT, "Default group": WRONG})
    done = grade(class_of, tmp_path / "marks", relay, "--roster", list_of)
    assert done.returncode == 0, done.stderr
    lines = cells(tmp_path / "marks" / "moodle.csv")[1:]
    assert [line[5] for line in lines] == ["10", "10", "", "1.67"]
    assert len(results(tmp_path / "marks")) == 3
    with zipfile.ZipFile(tmp_path / "marks" / "feedback-moodle.zip") as archive:
        assert sorted(archive.namelist()) == [
            "Ada Byron_4201_assignfeedback_file/relay.html",
            "Bo Berg_4202_assignfeedback_file/relay.html",
            "Eva Ey_4204_assignfeedback_file/relay.html",
        ]


CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Week 4: Relay (98765),Essay (98766)
,,,,,Manual Posting,
    Points Possible,,,,,20.00,10.00
"Byron, Ada",501,s1,a@x.org,One and Two,,
"Krank, Karl",508,s2,k@x.org,One,EX,7
"Extra, Eva",509,s3,e@x.org,One,15,
"Student, Test",599,,t@x.org,One,,
"""


def test_canvas_gets_its_own_column_back_on_its_scale(tmp_path: Path, relay: Room) -> None:
    class_of = tmp_path / "class"
    class_of.mkdir()
    for name in ("byronada_LATE_501_9001_relay.py", "extraeva_509_9002_relay.py"):
        (class_of / name).write_text(RIGHT)
    (class_of / "teststudent_599_9003_relay.py").write_text(WRONG)
    (class_of / "anon_x9YzQ_9004_relay.py").write_text(WRONG)
    (class_of / "krankkarl_508_text.html").write_text("app = 1")
    list_of = written(tmp_path / "list.csv", CANVAS)
    done = grade(class_of, tmp_path / "marks", relay, "--roster", list_of)
    assert done.returncode == 0, done.stderr
    heading, *lines = cells(tmp_path / "marks" / "canvas.csv")
    assert heading[-1] == "Week 4: Relay (98765)"
    assert {line[1]: line[-1] for line in lines} == {"501": "20", "508": "EX", "509": "15"}
    assert not list((tmp_path / "marks").glob("moodle*"))
    table = {row[3]: row for row in cells(tmp_path / "marks" / "grades.csv")[1:]}
    assert table["501"][-2] == "late, by the platform"
    assert table["508"][-3] == "not markable"
    assert "anon_x9YzQ" in table


def hand_in(folder: Path, learner: str, text: str, name: str = "relay.py") -> None:
    (folder / learner).mkdir(parents=True, exist_ok=True)
    (folder / learner / name).write_text(text)


def test_each_learner_has_a_mark_or_a_reason(tmp_path: Path, variant: Room) -> None:
    variant.starter.write_text("from fastapi import FastAPI\n\napp = FastAPI()  # begin here\n")
    folder = tmp_path / "class"
    hand_in(folder, "ada", RIGHT)
    hand_in(folder, "bob", "# mine\nfrom fastapi import FastAPI\napp=FastAPI()")
    hand_in(folder, "cy", "7z", "work.7z")
    list_of = written(tmp_path / "list.csv", "student_id,name\nada,Ada\nbob,Bob\ncy,Cy\ndee,Dee\n")
    done = grade(folder, tmp_path / "marks", variant, "--roster", list_of)
    table = {row[3]: (row[9], row[11]) for row in cells(tmp_path / "marks" / "grades.csv")[1:]}
    assert table == {
        "ada": ("6", "marked"),
        "bob": ("0", "not attempted"),
        "cy": ("", "not markable"),
        "dee": ("", "absent"),
    }
    assert "Not attempted (1): Bob" in done.stderr
    assert "Cy, relay: neither a notebook nor Python" in done.stderr
    page = (tmp_path / "marks" / "summary.html").read_text("utf-8")
    assert "1 marked, 1 with full marks; 1 not attempted, 1 not markable, 1 absent" in page
    assert "In 1 files no answer" not in done.stderr


def test_overrides_win_and_stay(tmp_path: Path, relay: Room) -> None:
    folder, out = tmp_path / "class", tmp_path / "marks"
    hand_in(folder, "ada", WRONG)
    list_of = written(tmp_path / "list.csv", "student_id,name\nada,Ada\ndee,Dee\n")
    by_hand = written(
        tmp_path / "by hand.csv",
        'learner;exercise;points;comment\nAda;relay;"4,5";a typing error\ndee;relay;3;spoken\n',
    )
    for options in (["--overrides", by_hand], []):
        done = grade(folder, out, relay, "--roster", list_of, *options)
        assert done.returncode == 0, done.stderr
        table = {row[3]: row for row in cells(out / "grades.csv")[1:]}
        assert (table["ada"][7], table["ada"][9], table["ada"][11]) == ("1", "4.5", "override")
        assert (table["dee"][9], table["dee"][13]) == ("3", "spoken")
    assert "Set by hand (override). The grader gave 1. a typing error" in (
        out / "feedback" / "ada" / "relay.html"
    ).read_text("utf-8")


@pytest.mark.parametrize("language", ["German", "Arabic"])
def test_an_address_names_one_of_two_namesakes_in_any_language(
    tmp_path: Path, relay: Room, language: str
) -> None:
    people = [("Anna Groß", number, "") for number in (71, 72, 73)]
    list_of = written(tmp_path / "list.csv", worksheet(language, *people))
    by_hand = written(
        tmp_path / "hand.csv", "learner,exercise,points,comment\n72@x.org,relay,4,x\n"
    )
    class_of = of_moodle(tmp_path, **{"Anna Groß_71": RIGHT})
    options = ("--roster", list_of, "--overrides", by_hand)
    done = grade(class_of, tmp_path / "marks", relay, *options)
    assert done.returncode == 0, done.stderr
    assert [row[9] for row in cells(tmp_path / "marks" / "grades.csv")[1:]] == ["6", "4", ""]
    assert f"Absent (1): Anna Groß ({LANGUAGES[language][1]}73)" in done.stderr
    later = [("Anna Groß", number, "") for number in (73, 71, 72)]  # Moodle numbers them anew
    text = worksheet(language, *later)
    for old, new in (("73@", "a@"), ("71@", "b@"), ("72@", "c@")):
        text = text.replace(old, new)
    for old, new in (("a@", "71@"), ("b@", "72@"), ("c@", "73@")):
        text = text.replace(old, new)
    out, later_list = tmp_path / "total.csv", written(tmp_path / "later.csv", text)
    done = total(tmp_path / "marks", "--roster", later_list, "--out", out)
    assert done.returncode == 0, done.stderr
    assert [row[4] for row in cells(out)[1:]] == ["6", "4", ""]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ada,relai,3,", "line 2: there is no exercise 'relai'"),
        ("ada,relay,much,", "line 2: the points 'much' are no number"),
        (",relay,3,", "line 2: no learner is named"),
        ("ada,relay,3,\nada,relay,4,", "line 3: ada has an override for relay already"),
    ],
)
def test_an_override_that_cannot_be_done_is_refused_first(
    tmp_path: Path, relay: Room, line: str, words: str
) -> None:
    hand_in(tmp_path / "class", "ada", RIGHT)
    by_hand = written(tmp_path / "by hand.csv", f"learner,exercise,points,comment\n{line}\n")
    done = grade(tmp_path / "class", tmp_path / "marks", relay, "--overrides", by_hand)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "marks" / "grades.csv").exists()


@pytest.mark.parametrize(
    ("handed_in", "days"),
    [
        ("2026-10-24 11:59", 0),
        ("2026-10-24 12:01", 1),
        ("2026-10-25 12:00", 1),  # 25 hours later
        ("2026-10-25 12:01", 2),
        ("2026-10-26 12:00", 2),
    ],
)
def test_a_day_is_a_day_where_summer_time_ends(
    handed_in: str, days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        when = datetime.fromisoformat(handed_in).astimezone()
        assert due("2026-10-24 12:00", 10).late(when) == days
    finally:
        monkeypatch.undo()
        time.tzset()


def test_more_points_than_there_are_is_said(tmp_path: Path, relay: Room) -> None:
    hand_in(tmp_path / "class", "ada", RIGHT)
    by_hand = written(tmp_path / "by hand.csv", "learner,exercise,points\nada,relay,60\n")
    done = grade(tmp_path / "class", tmp_path / "marks", relay, "--overrides", by_hand)
    assert "by hand.csv, line 2: ada has 60 points, and relay has 6." in done.stderr
    assert cells(tmp_path / "marks" / "grades.csv")[1][9] == "60"


def test_late_days_cost_what_is_asked(tmp_path: Path, relay: Room) -> None:
    folder = tmp_path / "class"
    for learner, day in (("ada", 1), ("bob", 3)):
        hand_in(folder, learner, RIGHT)
        (folder / learner / "timestamp.txt").write_text(f"2026-01-0{day} 12:00:00 UTC")
    due = ["--due", "2026-01-01 23:59", "--penalty", "10"]
    assert grade(folder, tmp_path / "marks", relay, *due).returncode == 0
    table = {row[3]: [*row[7:10], row[12]] for row in cells(tmp_path / "marks" / "grades.csv")}
    assert table["ada"] == ["6", "0.0", "6", ""]
    assert table["bob"] == ["6", "1.2", "4.8", "2 days late"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--due", "tomorrow"], "'tomorrow' is no date"),
        (["--due", "2026-12-01", "--penalty", "101"], "'101' is no percentage"),
        (["--penalty", "10"], "--penalty needs --due"),
        (["--penalty", "lots"], "'lots' is no percentage"),
        (["--only", "relais"], "no exercise 'relais'"),
        (["--again-for", "nobody"], "Nobody who handed something in is called 'nobody'"),
        (["--column", "Essay (1)"], "There is no column 'Essay (1)'"),
    ],
)
def test_a_choice_that_cannot_be_made_is_said(
    tmp_path: Path, relay: Room, options: list[str], words: str
) -> None:
    hand_in(tmp_path / "class", "ada", RIGHT)
    done = grade(tmp_path / "class", tmp_path / "marks", relay, *options)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def test_one_learner_is_marked_afresh(tmp_path: Path, relay: Room) -> None:
    folder, out = tmp_path / "class", tmp_path / "marks"
    for learner in ("ada", "bob"):
        hand_in(folder, learner, RIGHT + f"# {learner}\n")
    assert grade(folder, out, relay).returncode == 0
    assert grade(folder, out, relay, "--again-for", "bob").returncode == 0
    assert [one["learner"] for one in results(out)].count("bob") == 2
    assert [one["learner"] for one in results(out)].count("ada") == 1


def total(*words: object) -> subprocess.CompletedProcess[str]:
    import subprocess

    command = [sys.executable, "-m", "unblocked", "total", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


MARKS = "assignment,student_id,last_name,first_name,email,score,max_score\n"


def test_totals_over_weeks_go_by_the_address(tmp_path: Path) -> None:
    """Moodle numbers participants anew: 71 is Ada in one week, and Bo in the next."""
    weeks = {
        "week1": "relay,Participant 71,Byron,Ada,a@x.org,6,6\n"
        "relay,Participant 72,Berg,Bo,b@x.org,,6\n",
        "week2": "gather,Participant 71,Berg,Bo,b@x.org,2.5,4\n",
    }
    for name, lines in weeks.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "grades.csv").write_text(MARKS + lines)
    done = total(*(tmp_path / name for name in weeks), "--out", tmp_path / "total.csv")
    assert done.returncode == 0, done.stderr
    table = cells(tmp_path / "total.csv")
    assert table[0][4:] == ["relay", "gather", "total", "max_total"]
    assert {line[2]: line[4:] for line in table[1:]} == {
        "Ada": ["6", "", "6", "10"],
        "Bo": ["", "2.5", "2.5", "10"],
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("a,b\n1,2\n", "is no table of marks"),
        (MARKS + "relay,1,B,A,,much,6\n", "row 2"),
        (MARKS + "relay,1,B,A,,1,6\nrelay,1,C,D,,2,6\n", "1 has a mark for relay already"),
    ],
)
def test_totals_of_what_is_none_are_refused(tmp_path: Path, text: str | None, words: str) -> None:
    (tmp_path / "week1").mkdir()
    if text is not None:
        (tmp_path / "week1" / "grades.csv").write_text(text)
    done = total(tmp_path / "week1", "--out", tmp_path / "total.csv")
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "total.csv").exists()


def test_a_copy_of_the_course_is_known_and_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ada.zip", "w") as archive:
        for name in (
            "unblocked/start.py",
            "unblocked/src/unblocked/cli.py",
            "unblocked/course/exercises/fan-out/solution.py",
            "unblocked/solutions/fan-out.ipynb",
            "unblocked/notebooks/04-await-many-calls.ipynb",
            "unblocked/exercises/fan-out.ipynb",
            "unblocked/exercises/one-client.ipynb",
        ):
            archive.writestr(name, "{}")
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / "answer.py").write_text("app = 1")
    found = find(tmp_path, ["fan-out", "one-client"], only="fan-out")
    assert [(one.learner, one.file.parts[-2]) for one in found.submissions] == [
        ("ada", "exercises"),
        ("bob", "bob"),
    ]
    assert found.unplaced == []


def test_names_cannot_steer_a_terminal(tmp_path: Path, relay: Room) -> None:
    folder = tmp_path / "class"
    hand_in(folder, "ada", RIGHT)
    hand_in(folder, "\x1b]0;PWNED\x07eve", "no", "x\x1b[5m.txt")
    done = grade(folder, tmp_path / "marks", relay)
    assert "PWNED" in done.stderr
    assert "\x1b]0" not in done.stderr
    assert "\x07" not in done.stderr


def test_a_zip_that_says_it_holds_millions_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_64 = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 3 << 20, 3 << 20, 1, 0)
    end = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0, 0)
    (tmp_path / "ada.zip").write_bytes(end_64 + end)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    [(name, why)] = find(tmp_path, ["relay"]).unplaced
    assert (name, why) == ("ada.zip", f"{3 << 20} members: no class hands in so many")


def test_answers_alike_are_shown_side_by_side(tmp_path: Path, relay: Room) -> None:
    folder = tmp_path / "class"
    hand_in(folder, "ada", RIGHT)
    hand_in(
        folder, "bob", "# all mine\n" + RIGHT.replace("client", "http").replace("http.", "http.")
    )
    hand_in(folder, "cy", WRONG)
    renamed = RIGHT.replace("as client", "as courier").replace("= client", "= courier")
    hand_in(folder, "dee", renamed)
    assert grade(folder, tmp_path / "marks", relay).returncode == 0
    page = (tmp_path / "marks" / "summary.html").read_text("utf-8")
    assert "2 answers: ada, dee" in page
    assert "as courier" in page


def test_the_summary_groups_failures_by_what_was_seen(tmp_path: Path, relay: Room) -> None:
    folder = tmp_path / "class"
    for number, learner in enumerate(("ada", "bob", "cy")):
        hand_in(folder, learner, WRONG.replace("no call", f"no call {number}"))
    assert grade(folder, tmp_path / "marks", relay).returncode == 0
    page = (tmp_path / "marks" / "summary.html").read_text("utf-8")
    assert "<td class=n>3<td>" in page
    assert "<td>ada, bob, cy</tr>" in page
    assert "<main>" in page
    assert "<th></tr>" not in page


def made(**more: Any) -> dict[str, Any]:
    check = {"name": "a", "passed": True, "points": 2, "max_points": 2, "message": "Well."}
    other = {"name": "b", "passed": False, "points": 0, "max_points": 4, "message": "Saw: <x>"}
    return {"points": 2, "outcome": "graded", "checks": [check, other], "seconds": 1.6, **more}


def test_gradescopes_results() -> None:
    """Keys and kinds are those of Gradescope's documentation on results.json."""
    found = gradescopes(made(note="Two cells."))
    assert (found["score"], found["execution_time"], found["output"]) == (2, 2, "Two cells.")
    assert sum(test["score"] for test in found["tests"]) == found["score"]
    for test in found["tests"]:
        assert test.keys() == {
            "name", "score", "max_score", "status", "output", "output_format", "visibility",
        }  # fmt: skip
        assert test["status"] in ("passed", "failed")
    assert json.dumps(nothing("Why."))


def test_gradescopes_zip_holds_no_answers() -> None:
    with zipfile.ZipFile(io.BytesIO(packed_for_gradescope(checkout(), "one-client"))) as archive:
        names = set(archive.namelist())
    assert {"setup.sh", "run_autograder", "start.py"} <= names
    rooms = {name for name in names if name.startswith("course/exercises/catch-the-bug/")}
    assert {name.split("/")[3] for name in rooms} == {
        "apps", "checks.py", "exercise.md", "given.py", "starter.py",
    }  # fmt: skip
    assert not [n for n in names if "apps" not in n and {"right", "tasks"} & {*n.split("/")}]
