"""What the marker cannot do is no answer's fault: it gives no mark, loses nothing, and is said."""

from __future__ import annotations

import asyncio
import csv
import errno
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from conftest import RIGHT
from test_classroom import WRONG, grade, grade_command, hand_in, results

from unblocked.grading.classroom.grade import Jobs
from unblocked.grading.classroom.submissions import find
from unblocked.grading.classroom.worker import Marker, NotMarked, job
from unblocked.grading.judge.mark import exercise, mark
from unblocked.grading.sandbox.child.levels import LEVELS
from unblocked.grading.sandbox.pool import NotRun, Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from unblocked.course import Room

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX")


def _short_while(room: Room, file: Path) -> None:
    """The second criterion finds the marker without descriptors while this file exists."""
    source = room.checks.read_text()
    begin = "async def two_at_once(exam: Exam) -> str:\n"
    assert begin in source
    short = f"    import os\n    if os.path.exists({str(file)!r}):\n"
    lack = f"{short}        raise OSError(24, 'too many')\n"
    room.checks.write_text(source.replace(begin, begin + lack))
    file.touch()


def test_without_descriptors_there_is_no_mark_until_there_are(
    tmp_path: Path, variant: Room
) -> None:
    folder, out, short = tmp_path / "class", tmp_path / "marks", tmp_path / "short"
    _short_while(variant, short)
    for learner in ("ada", "bob"):
        hand_in(folder, learner, RIGHT + f"# {learner}\n")
    done = grade(folder, out, variant)
    assert done.returncode == 2
    assert "Not marked, by no fault of theirs: 2 answers. Run it again" in done.stderr
    assert results(out) == []
    with (out / "not-marked.csv").open(newline="") as file:
        whys = {row["file"]: row["why"] for row in csv.DictReader(file)}
    assert set(whys) == {"ada/relay/relay.py", "bob/relay/relay.py"}
    assert all("by no fault of its own" in why for why in whys.values())
    short.unlink()
    assert grade(folder, out, variant).returncode == 0
    assert [r["points"] for r in results(out)] == [6, 6]


def test_checking_one_answer_it_is_said(tmp_path: Path, variant: Room) -> None:
    _short_while(variant, tmp_path / "short")

    async def main() -> None:
        async with Sandbox() as sandbox:
            await mark(exercise(variant), RIGHT, sandbox)

    with pytest.raises(NotRun, match="the marker ran short"):
        asyncio.run(main())


@pytest.mark.parametrize("source", [RIGHT, WRONG])
def test_a_failure_while_connections_were_taken_late_does_not_count(
    relay: Room, source: str
) -> None:
    answer = job("ada", "relay", "", "relay.py", f"# exercise: relay\n{source}".encode())

    async def main() -> int:
        loop = asyncio.get_running_loop()
        async with Sandbox() as sandbox:
            marker = Marker({"relay": exercise(relay)}, sandbox)
            marking = asyncio.create_task(marker.result(answer))
            await asyncio.sleep(0)
            late = {"message": "accept", "exception": OSError(errno.EMFILE, "too many")}
            marker.note(loop, late)
            return int((await marking)["points"])

    if source == RIGHT:
        assert asyncio.run(main()) == 6
    else:
        with pytest.raises(NotRun):
            asyncio.run(main())


def test_a_class_needs_more_descriptors_than_a_shell_is_given(tmp_path: Path, relay: Room) -> None:
    folder, out = tmp_path / "class", tmp_path / "marks"
    for number in range(12):
        hand_in(folder, f"learner-{number}", RIGHT + f"# {number}\n")
    limited = ["sh", "-c", 'ulimit -Sn 128; exec "$@"', "sh"]
    done = subprocess.run(
        [*limited, *grade_command(folder, out, relay)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [r["points"] for r in results(out)] == [6] * 12


def test_a_file_that_has_gone_is_not_marked(tmp_path: Path) -> None:
    hand_in(tmp_path / "class", "ada", RIGHT)
    found = find(tmp_path / "class", {"relay": ""})
    (tmp_path / "class" / "ada" / "relay" / "relay.py").unlink()
    gone = Jobs(found.submissions, {"relay": ""})[0]
    assert isinstance(gone, NotMarked)
    assert gone.file == "ada/relay/relay.py"


def test_checks_may_print(tmp_path: Path, variant: Room) -> None:
    source = variant.checks.read_text()
    said = 'print("not for the marker")\n'
    variant.checks.write_text(said + source.replace("    async with", f"    {said}    async with"))
    hand_in(tmp_path / "class", "ada", RIGHT)
    done = grade(tmp_path / "class", tmp_path / "marks", variant)
    assert done.returncode == 0, done.stderr
    assert [r["points"] for r in results(tmp_path / "marks")] == [6]


@pytest.fixture
def at_limits(tmp_path: Path, relay: Room, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A class, and its marks, made with the weakest isolation."""
    folder, out = tmp_path / "class", tmp_path / "marks"
    hand_in(folder, "ada", RIGHT)
    with monkeypatch.context() as patch:
        patch.setenv("UNBLOCKED_RUNG", "limits")
        assert grade(folder, out, relay).returncode == 0
    return folder, out


def test_what_was_marked_with_less_than_is_required_is_marked_again(
    at_limits: tuple[Path, Path], relay: Room
) -> None:
    folder, out = at_limits
    assert grade(folder, out, relay, "--require", "landlock").returncode == 0
    first, second = (LEVELS.index(r["isolation"]) for r in results(out))
    assert second <= LEVELS.index("landlock") < first
    assert grade(folder, out, relay, "--require", "landlock").returncode == 0
    assert len(results(out)) == 2


def test_a_refusal_takes_no_marks_away(
    at_limits: tuple[Path, Path], relay: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBLOCKED_RUNG", "limits")
    folder, out = at_limits
    before = (out / "results.jsonl").read_bytes()
    done = grade(folder, out, relay, "--again", "--require", "landlock")
    assert (done.returncode, "less than 'landlock'" in done.stderr) == (2, True)
    assert (out / "results.jsonl").read_bytes() == before
    assert not list(out.glob("results-before-*"))
