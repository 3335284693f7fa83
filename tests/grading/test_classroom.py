"""`unblocked grade`, whole: marks, restarts, refusals, a cluster."""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from conftest import RIGHT, processes_named, until

from unblocked.grading.classroom import grade as classroom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from unblocked.course import Room

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks into /proc")

WRONG = RIGHT.replace("(await app.state.client.get(URL)).text", "'no call'")


def grade_command(folder: Path, out: Path, relay: Room, *more: str) -> list[str]:
    course = str(relay.folder.parents[1])
    start = [sys.executable, "-m", "unblocked", "grade", str(folder), "--out", str(out)]
    return [*start, "--course", course, "--workers", "2", *more]


def grade(folder: Path, out: Path, relay: Room, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        grade_command(folder, out, relay, *more), capture_output=True, text=True, check=False
    )


def lines(results_file: Path) -> int:
    return results_file.read_bytes().count(b"\n") if results_file.exists() else 0


def results(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def hand_in(folder: Path, learner: str, source: str, name: str = "relay.py") -> None:
    path = folder / learner / "relay" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    folder = tmp_path / "class"
    answers = {
        "ada": RIGHT,
        "bob": WRONG,
        "cy, the 3rd": RIGHT,
        "=1+1": "import os; os._exit(0)",
        "dee": "while True: pass",
        "eve": "app = (",
        "fay": "",
    }
    for learner, source in answers.items():
        hand_in(folder, learner, source)
    (folder / "binary" / "relay").mkdir(parents=True)
    (folder / "binary" / "relay" / "relay.ipynb").write_bytes(b"\x00\xff" * 50)
    return folder


def test_a_mixed_class(mixed: Path, tmp_path: Path, relay: Room) -> None:
    out = tmp_path / "marks"
    done = grade(mixed, out, relay)
    assert done.returncode == 0, done.stderr
    marks = {r["learner"]: (r["points"], r["outcome"]) for r in results(out)}
    assert marks == {
        "ada": (6, "graded"),
        "bob": (1, "graded"),
        "cy, the 3rd": (6, "graded"),
        "=1+1": (0, "crashed"),
        "dee": (0, "timeout"),
        "eve": (0, "crashed"),
        "fay": (0, "no-answer"),
        "binary": (0, "no-answer"),
    }
    with (out / "grades.csv").open(newline="") as file:
        scores = {row["student_id"]: row["score"] for row in csv.DictReader(file)}
    assert scores["cy, the 3rd"] == "6"
    assert scores["'=1+1"] == "0"
    assert len(list(out.glob("feedback/*/relay.html"))) == len(marks)
    assert "failed" in (out / "summary.html").read_text().lower()


KILLER = """
import os, signal
pid = os.getpid()
for _ in range(3):  # the supervisor, the sandbox, the worker
    with open(f"/proc/{pid}/stat") as file:
        pid = int(file.read().rpartition(")")[2].split()[1])
    os.kill(pid, signal.SIGCONT)
os.kill(pid, signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="finds its marker by /proc")
def test_a_class_goes_on_when_an_answer_kills_its_marker(
    tmp_path: Path, relay: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBLOCKED_RUNG", "limits")
    folder, out = tmp_path / "class", tmp_path / "marks"
    for number in range(4):
        hand_in(folder, f"learner-{number}", RIGHT + f"# {number}\n")
    hand_in(folder, "killer", KILLER + RIGHT)
    assert grade(folder, out, relay).returncode == 0
    marks = {str(r["learner"]): (r["points"], r["outcome"], r["isolation"]) for r in results(out)}
    assert marks.pop("killer") == (0, "crashed", "limits")
    assert marks == {f"learner-{n}": (6, "graded", "limits") for n in range(4)}


def test_submissions_are_no_modules_of_the_marker(tmp_path: Path, relay: Room) -> None:
    folder, out = tmp_path / "class", tmp_path / "marks"
    hand_in(folder, "ada", RIGHT)
    for name in ("httpx", "json", "fastapi"):
        (folder / f"{name}.py").write_text("raise SystemExit('imported')\n")
    command = [sys.executable, "-P", *grade_command(folder, out, relay)[1:]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [r["points"] for r in results(out)] == [6]


def kill_after(results: int, command: list[str], results_file: Path) -> None:
    """Run, and kill -9 once so many results are there."""
    quiet = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    run = subprocess.Popen(command, start_new_session=True, **quiet)
    until(lambda: run.poll() is not None or lines(results_file) >= results)
    run.send_signal(signal.SIGKILL)
    run.wait()


def test_killed_and_started_again_nothing_is_lost_or_marked_twice(
    tmp_path: Path, relay: Room
) -> None:
    folder, out = tmp_path / "class", tmp_path / "marks"
    for number in range(8):
        hand_in(folder, f"learner-{number}", RIGHT + f"# {number}\n")
    for already in range(1, 8, 2):
        kill_after(already, grade_command(folder, out, relay), out / "results.jsonl")
    assert grade(folder, out, relay).returncode == 0
    assert sorted(str(r["learner"]) for r in results(out)) == sorted(
        f"learner-{number}" for number in range(8)
    )
    assert not processes_named(str(relay.folder.parents[1]))


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_a_disk_that_is_full_ends_the_run_which_goes_on_when_there_is_room(
    tmp_path: Path, relay: Room
) -> None:
    import resource

    folder, out = tmp_path / "class", tmp_path / "marks"
    for number in range(8):
        hand_in(folder, f"learner-{number}", RIGHT + f"# {number}\n")
    full = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
    command = grade_command(folder, out, relay)
    done = subprocess.run(command, preexec_fn=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert f"unblocked: {out / 'results.jsonl'}: File too large" in done.stderr
    assert "pending" not in done.stderr
    kept = lines(out / "results.jsonl")
    assert 0 < kept < 8
    assert grade(folder, out, relay).returncode == 0
    assert sorted(r["learner"] for r in results(out)) == [f"learner-{n}" for n in range(8)]
    assert not processes_named(str(relay.folder.parents[1]))


def test_a_second_run_marks_nothing(tmp_path: Path, relay: Room) -> None:
    folder, out = tmp_path / "class", tmp_path / "marks"
    hand_in(folder, "ada", RIGHT)
    assert grade(folder, out, relay).returncode == 0
    before = (out / "results.jsonl").read_bytes()
    assert grade(folder, out, relay).returncode == 0
    assert (out / "results.jsonl").read_bytes() == before


def test_lines_that_are_no_results_are_left_alone(tmp_path: Path, relay: Room) -> None:
    folder, out = tmp_path / "class", tmp_path / "marks"
    hand_in(folder, "ada", RIGHT)
    out.mkdir()
    (out / "results.jsonl").write_text("[" * 100_000 + "\nno JSON\n{}\n")
    assert grade(folder, out, relay).returncode == 0
    assert "ada" in (out / "grades.csv").read_text()


def test_an_answer_that_changes_meanwhile_has_the_mark_of_what_was_read(
    tmp_path: Path, relay: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "class", tmp_path / "marks"
    hand_in(folder, "ada", RIGHT)
    worker_pool = classroom._worker_pool

    def changed_before(*args: Any) -> Any:
        (folder / "ada" / "relay" / "relay.py").write_text(RIGHT + "# again\n")
        return worker_pool(*args)

    monkeypatch.setattr(classroom, "_worker_pool", changed_before)
    options = {"roster": None, "dask": None, "require": None, "again": False, "workers": 1}
    args = argparse.Namespace(folder=folder, out=out, course=relay.folder.parents[1], **options)
    assert asyncio.run(classroom._grade(args)) == 0
    assert "ada" in (out / "grades.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--roster", "nowhere.csv"], "cannot be read"),
        (["--course", "nowhere"], "nowhere"),
        (["--course", ""], "'' names none"),
        (["--out", ""], "'' names none"),
        (["--dask", "nonsense"], "'nonsense' is no scheduler's address: give tcp://HOST:PORT"),
        (["--dask", ""], "'' is no scheduler's address"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, relay: Room, arguments: list[str], words: str
) -> None:
    folder = tmp_path / "class"
    hand_in(folder, "ada", RIGHT)
    done = grade(folder, tmp_path / "marks", relay, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_roster_and_who_is_absent(tmp_path: Path, relay: Room) -> None:
    folder, out, roster = tmp_path / "class", tmp_path / "marks", tmp_path / "roster.csv"
    hand_in(folder, "Ada Lovelace", RIGHT)
    roster.write_text('Student,ID\n"Lovelace, Ada",7\n"Noether, Emmy",8\n')
    assert grade(folder, out, relay, "--roster", str(roster)).returncode == 0
    with (out / "canvas.csv").open(newline="") as file:
        assert [(row["ID"], row["relay"]) for row in csv.DictReader(file)] == [
            ("7", "6"),
            ("8", ""),
        ]


ROSTER = "Student,ID\nLovelace Ada,7\nNoether Emmy,8\n"


def marks_in(path: Path) -> dict[str, str]:
    with path.open(newline="") as file:
        return {row["student_id"]: row["score"] for row in csv.DictReader(file)}


def test_a_roster_that_comes_later_marks_nothing_twice(tmp_path: Path, relay: Room) -> None:
    folder, out, roster = tmp_path / "class", tmp_path / "marks", tmp_path / "roster.csv"
    hand_in(folder, "Ada Lovelace", RIGHT)
    assert grade(folder, out, relay).returncode == 0
    roster.write_text(ROSTER)
    done = grade(folder, out, relay, "--roster", str(roster))
    first, second = results(out)
    assert second == first | {"learner": "7"}
    assert marks_in(out / "grades.csv") == {"7": "6", "8": ""}
    assert "earlier marks" not in done.stderr


def test_answers_that_are_none_are_told(tmp_path: Path, relay: Room) -> None:
    folder, out = tmp_path / "class", tmp_path / "marks"
    hand_in(folder, "ada", WRONG)
    hand_in(folder, "bob", '{"cells": [', "relay.ipynb")
    done = grade(folder, out, relay)
    assert "In 1 files no answer was found, so they have 0 points: bob/relay/relay" in done.stderr
    summary = (out / "summary.html").read_text()
    assert "relay.ipynb is no notebook, or is cut off" in summary
    assert "1 marked, 0 with full marks; 0 not attempted, 1 not markable, 0 absent" in summary
    assert "two callers at once<td class=n>1<" in summary  # the others' alone


@pytest.mark.parametrize("name", ["notes.txt", "work.zip"])
def test_a_folder_without_an_answer_says_why_and_leaves_the_tables_alone(
    tmp_path: Path, relay: Room, name: str
) -> None:
    hand_in(tmp_path / "class", "ada", RIGHT, name)
    done = grade(tmp_path / "class", tmp_path / "marks", relay)
    assert done.returncode == 2
    assert "There is no answer to mark. Files that are none: 1." in done.stderr
    assert f"ada/relay/{name}: " in done.stderr
    assert not (tmp_path / "marks" / "grades.csv").exists()


@pytest.mark.parametrize("out", [".", "ada"])
def test_marks_do_not_go_where_answers_lie(tmp_path: Path, relay: Room, out: str) -> None:
    hand_in(tmp_path / "class", "ada", RIGHT)
    done = grade(tmp_path / "class", tmp_path / "class" / out, relay)
    assert (done.returncode, "Give an --out of its own" in done.stderr) == (2, True)
    assert not list(tmp_path.rglob("results.jsonl"))


def test_a_download_that_is_taken_for_a_learner_is_named(tmp_path: Path, relay: Room) -> None:
    for name in ("ada_7_100_relay.py", "bob_8_101_relay.py"):
        hand_in(tmp_path / "class", "week 1", WRONG, name)
    done = grade(tmp_path / "class", tmp_path / "marks", relay)
    assert f"give it alone: {tmp_path / 'class' / 'week 1'}" in done.stderr


def test_who_is_not_in_the_roster_is_named(tmp_path: Path, relay: Room) -> None:
    folder, out, roster = tmp_path / "class", tmp_path / "marks", tmp_path / "roster.csv"
    hand_in(folder, "Ada Lovelace", RIGHT)
    hand_in(folder, "Emy Noether", WRONG)
    roster.write_text(ROSTER)
    done = grade(folder, out, relay, "--roster", str(roster))
    assert "Not in the roster, so in grades.csv alone: Emy Noether (1 in all)" in done.stderr
    assert marks_in(out / "grades.csv") == {"7": "6", "8": "", "Emy Noether": "1"}
    assert "Emy Noether (1 in all)" in (out / "summary.html").read_text()


def test_two_folders_of_one_learner_are_attempts_whenever_they_are_marked(
    tmp_path: Path, relay: Room
) -> None:
    folder, out, roster = tmp_path / "class", tmp_path / "marks", tmp_path / "roster.csv"
    hand_in(folder, "7", WRONG)
    hand_in(folder, "Ada Lovelace", RIGHT)
    os.utime(folder / "7" / "relay" / "relay.py", (0, 0))
    roster.write_text(ROSTER)
    for _ in range(2):
        assert grade(folder, out, relay, "--roster", str(roster)).returncode == 0
        assert marks_in(out / "grades.csv")["7"] == "6"
    assert "a newer attempt counts" in (out / "not-marked.csv").read_text()


def test_earlier_marks_that_the_tables_leave_out_are_told(tmp_path: Path, relay: Room) -> None:
    out = tmp_path / "marks"
    for week, learner in (("week1", "ada"), ("week2", "bob")):
        hand_in(tmp_path / week, learner, RIGHT)
        done = grade(tmp_path / week, out, relay)
    assert "1 earlier marks" in done.stderr
    assert set(marks_in(out / "grades.csv")) == {"bob"}


def test_a_class_that_looks_like_one_learner_is_told(tmp_path: Path, relay: Room) -> None:
    for learner in ("ada", "bob", "cy"):
        hand_in(tmp_path / "class" / "submissions", learner, WRONG)
    done = grade(tmp_path / "class", tmp_path / "marks", relay)
    assert "All 3 files count as attempts of 'submissions'" in done.stderr


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda path: path.mkdir(), "There is nothing in"),
        (lambda path: path.with_suffix(".py").write_text(RIGHT), "unblocked check"),
    ],
)
def test_nothing_to_mark_leaves_the_tables_alone(
    tmp_path: Path, relay: Room, made: Callable[[Path], object], words: str
) -> None:
    out = tmp_path / "marks"
    hand_in(tmp_path / "class", "ada", RIGHT)
    assert grade(tmp_path / "class", out, relay).returncode == 0
    made(tmp_path / "other")
    [other] = tmp_path.glob("other*")
    done = grade(other, out, relay)
    assert (done.returncode, words in done.stderr) == (2, True)
    assert set(marks_in(out / "grades.csv")) == {"ada"}


@pytest.fixture
def heeding_interrupts() -> Iterator[None]:
    """What is started here heeds SIGINT, also where a script runs the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding_interrupts")
@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGINT, "run it again to go on"), (signal.SIGTERM, "")]
)
def test_stopped_in_the_middle_it_leaves_no_traceback_and_no_file(
    tmp_path: Path, relay: Room, number: signal.Signals, words: str
) -> None:
    folder, out = tmp_path / "class", tmp_path / "marks"
    for learner in range(8):
        hand_in(folder, f"learner-{learner}", RIGHT + f"# {learner}\n")
    hand_in(folder, "endless", "import time\ntime.sleep(1e6)")  # not over when others are marked
    own = tmp_path / "temporary"
    own.mkdir()
    run = subprocess.Popen(
        grade_command(folder, out, relay),
        env={**os.environ, "TMPDIR": str(own)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    until(lambda: run.poll() is not None or lines(out / "results.jsonl") > 0)
    run.send_signal(number)
    said = run.communicate()[1]  # of its workers, too: it comes to its end when they have ended
    assert words in said
    assert "Traceback" not in said
    assert not list(own.iterdir())


@pytest.mark.parametrize("fault", ["def (:\n", "import nowhere_at_all\n"])
def test_checks_that_cannot_be_loaded_are_named(tmp_path: Path, variant: Room, fault: str) -> None:
    variant.checks.write_text(fault)
    hand_in(tmp_path / "class", "ada", RIGHT)
    done = grade(tmp_path / "class", tmp_path / "marks", variant)
    assert done.returncode == 2
    assert f"{variant.checks} cannot be loaded" in done.stderr


def test_a_check_that_fails_itself_does_not_blame_the_answer(tmp_path: Path, variant: Room) -> None:
    source = variant.checks.read_text()
    variant.checks.write_text(source.replace("    async with", "    {}['oops']\n    async with", 1))
    hand_in(tmp_path / "class", "ada", RIGHT)
    assert grade(tmp_path / "class", tmp_path / "marks", variant).returncode == 0
    [result] = results(tmp_path / "marks")
    [message] = [check["message"] for check in result["checks"] if not check["passed"]]
    assert message.startswith("This check failed itself (checks.py, line ")
