"""Whose it is, which exercise it answers, and which attempt counts."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from unblocked.grading.classroom import files, submissions
from unblocked.grading.classroom.roster import Learner
from unblocked.grading.classroom.submissions import find

if TYPE_CHECKING:
    from collections.abc import Iterator

SLUGS = ("fan-out", "one-client", "fix-the-article")


def put(path: Path, text: str = "app = 1") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def placed(folder: Path) -> dict[tuple[str, str], str]:
    return {(s.learner, s.exercise): s.file.shown for s in find(folder, SLUGS).submissions}


def test_nbgraders_layout(tmp_path: Path) -> None:
    put(tmp_path / "ada" / "fan-out" / "fan-out.ipynb", '{"cells": []}')
    put(tmp_path / "bob" / "one-client" / "work.ipynb", '{"cells": []}')
    assert set(placed(tmp_path)) == {("ada", "fan-out"), ("bob", "one-client")}


def test_a_flat_folder(tmp_path: Path) -> None:
    put(tmp_path / "ada_fan-out.py")
    put(tmp_path / "one-client-bob.py")
    assert set(placed(tmp_path)) == {("ada", "fan-out"), ("bob", "one-client")}


def test_the_cells_tell_when_the_name_does_not(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "source": "# exercise: fan-out\napp = 1", "metadata": {}}]
    put(tmp_path / "ada" / "my work.ipynb", json.dumps({"cells": cells}))
    put(tmp_path / "bob.py", "# exercise: one-client\napp = 1")
    assert set(placed(tmp_path)) == {("ada", "fan-out"), ("bob", "one-client")}


def test_of_canvas_attempts_the_newest_counts(tmp_path: Path) -> None:
    put(tmp_path / "lovelaceada_1001_5001_fan-out.ipynb", '{"cells": []}')
    put(tmp_path / "lovelaceada_LATE_1001_5009_fan-out-1.ipynb", '{"cells": []}')
    found = find(tmp_path, SLUGS)
    assert [(s.learner, s.learner_id, s.attempt) for s in found.submissions] == [
        ("lovelaceada", "1001", 5009)
    ]
    assert "a newer attempt counts" in found.unplaced[0][1]


def test_moodles_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("Ada Lovelace_77_assignsubmission_file_/fan-out.py", "app = 1")
        archive.writestr("__MACOSX/._fan-out.py", "x")
        archive.writestr("../../etc/one-client.py", "app = 2")
    found = find(tmp_path, SLUGS)
    assert {(s.learner, s.learner_id) for s in found.submissions} == {
        ("Ada Lovelace", "77"),
        ("etc", ""),
    }
    assert {s.file.read() for s in found.submissions} == {b"app = 1", b"app = 2"}


def test_nobody_hands_in_for_another(tmp_path: Path) -> None:
    put(tmp_path / "bob" / "fan-out.py")
    put(tmp_path / "eve" / "bob_13_999999999999_x" / "fan-out.py")
    put(tmp_path / "eve" / "bob_77_assignsubmission_file_" / "one-client.py")
    put(tmp_path / "eve_66_assignsubmission_file_bob_77_assignsubmission_file_fix-the-article.py")
    assert set(placed(tmp_path)) == {
        ("bob", "fan-out"),
        ("eve", "fan-out"),
        ("eve", "one-client"),
        ("eve", "fix-the-article"),
    }


def test_a_name_is_the_same_however_its_accents_are_stored(tmp_path: Path) -> None:
    put(tmp_path / "Zoe\u0308" / "fan-out.py")
    assert set(placed(tmp_path)) == {("Zo\u00eb", "fan-out")}


def test_nothing_is_skipped_in_silence(tmp_path: Path) -> None:
    put(tmp_path / "notes.txt")
    put(tmp_path / "ada" / "unknown.py")
    (tmp_path / "broken.zip").write_bytes(b"no zip")
    assert {name for name, _ in find(tmp_path, SLUGS).unplaced} == {
        "notes.txt",
        "ada/unknown.py",
        "broken.zip",
    }


def unplaced(folder: Path) -> dict[str, str]:
    return dict(find(folder, SLUGS).unplaced)


def pack(path: Path, *members: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, f"app = {member!r}")


def test_two_learners_of_one_name_are_two(tmp_path: Path) -> None:
    put(tmp_path / "Ada Byron_77_assignsubmission_file_" / "fan-out.py")
    put(tmp_path / "Ada Byron_78_assignsubmission_file_" / "fan-out.py")
    put(tmp_path / "byronada_1001_5001_one-client.py")
    put(tmp_path / "byronada_1002_5002_one-client.py")
    assert set(placed(tmp_path)) == {
        ("Ada Byron_77", "fan-out"),
        ("Ada Byron_78", "fan-out"),
        ("byronada_1001", "one-client"),
        ("byronada_1002", "one-client"),
    }
    assert not unplaced(tmp_path)


def test_moodles_files_without_folders(tmp_path: Path) -> None:
    put(tmp_path / "Ada Lovelace_77_assignsubmission_file_fan-out.py")
    pack(tmp_path / "Emmy Noether_78_assignsubmission_file_work.zip", "exercises/fan-out.py")
    found = find(tmp_path, SLUGS)
    assert {(s.learner, s.learner_id) for s in found.submissions} == {
        ("Ada Lovelace", "77"),
        ("Emmy Noether", "78"),
    }


def test_zips_beside_one_another_are_learners(tmp_path: Path) -> None:
    pack(tmp_path / "ada.zip", "exercises/fan-out.py")
    pack(tmp_path / "Bob.ZIP", "fan-out.py", "ada_77_assignsubmission_file_/fan-out.py")
    assert set(placed(tmp_path)) == {("ada", "fan-out"), ("Bob", "fan-out")}
    assert all(shown.startswith(("ada.zip/", "Bob.ZIP/")) for shown in placed(tmp_path).values())


def test_the_name_that_the_roster_gives_decides_what_is_an_attempt(tmp_path: Path) -> None:
    put(tmp_path / "ada" / "fan-out.py", "app = 1")
    put(tmp_path / "lovelace" / "fan-out.py", "app = 2")
    os.utime(tmp_path / "ada" / "fan-out.py", (0, 0))
    ada = Learner({"ID": "1001"})
    found = find(tmp_path, SLUGS, named=lambda placed: [replace(s, listed=ada) for s in placed])
    assert [(s.learner, s.file.shown) for s in found.submissions] == [
        ("1001", "lovelace/fan-out.py")
    ]
    assert found.unplaced == [("ada/fan-out.py", "a newer attempt counts: lovelace/fan-out.py")]


def test_copies_name_nobody_and_their_exercise(tmp_path: Path) -> None:
    put(tmp_path / "fan-out (1).py")
    put(tmp_path / "ada" / "one-client-Copy1.py")
    put(tmp_path / "bob" / "FAN-OUT.PY", "# exercise: fan-out\napp = 1")
    assert set(placed(tmp_path)) == {("ada", "one-client"), ("bob", "fan-out")}
    assert unplaced(tmp_path) == {"fan-out (1).py": "no learner is named"}


def test_what_is_empty_hidden_or_refused_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ada").mkdir()
    put(tmp_path / ".bob" / "fan-out.py")
    put(tmp_path / "eve" / "fan-out.py")
    pack(tmp_path / "joe.zip", ".work/fan-out.py", ".work/one-client.py")
    listed = Path.iterdir

    def refusing(folder: Path) -> Iterator[Path]:
        if folder.name == "eve":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", refusing)
    assert unplaced(tmp_path) == {
        "ada": "an empty folder: nothing was handed in",
        ".bob": "hidden: give it a name without the dot",
        "joe.zip/.work": "hidden: give it a name without the dot",
        "eve": "it cannot be read: Permission denied",
    }


def test_what_nobody_handed_in_is_no_news(tmp_path: Path) -> None:
    put(tmp_path / "ada" / "fan-out" / "fan-out.py")
    for name in ("timestamp.txt", ".DS_Store", ".ipynb_checkpoints/fan-out-checkpoint.ipynb"):
        put(tmp_path / "ada" / "fan-out" / name)
    put(tmp_path / "marks" / "grades.csv")
    found = find(tmp_path, SLUGS, leave_out=tmp_path / "marks")
    assert ([s.learner for s in found.submissions], found.unplaced) == (["ada"], [])


def test_whoever_handed_in_nothing_but_what_systems_leave_is_told(tmp_path: Path) -> None:
    put(tmp_path / "bob" / "fan-out" / "timestamp.txt")
    put(tmp_path / "cid" / ".ipynb_checkpoints" / "fan-out-checkpoint.ipynb")
    put(tmp_path / "dan" / ".DS_Store")
    pack(tmp_path / "fay.zip")
    pack(tmp_path / "gil.zip", "__MACOSX/._fan-out.py")
    told = unplaced(tmp_path)
    assert set(told) == {"bob/fan-out", "cid", "dan", "fay.zip", "gil.zip"}
    assert all("nothing was handed in" in why for why in told.values())


def test_of_a_class_in_a_zip_whoever_handed_in_nothing_is_told(tmp_path: Path) -> None:
    members = ("ada/fan-out.py", "bob/", "cid/.DS_Store", "__MACOSX/._ada")
    pack(tmp_path / "all.zip", *members)
    assert set(placed(tmp_path / "all.zip")) == {("ada", "fan-out")}
    assert unplaced(tmp_path / "all.zip") == dict.fromkeys(("bob", "cid"), "nothing was handed in")


@pytest.mark.skipif(sys.platform == "win32", reason="no such files there")
def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "eve").mkdir()
    os.mkfifo(tmp_path / "eve" / "fan-out.ipynb")
    assert unplaced(tmp_path) == {"eve/fan-out.ipynb": "neither a file nor a folder"}


def test_a_folder_for_each_exercise(tmp_path: Path) -> None:
    for slug in ("fan-out", "one-client"):
        for name in ("ada", "bob_77_88_work"):
            put(tmp_path / slug / f"{name}.py")
    pack(tmp_path / "fix-the-article.zip", "cy.py", "fix-the-article.py")
    found = find(tmp_path, SLUGS)
    assert {(s.learner, s.exercise) for s in found.submissions} == {
        (learner, slug) for learner in ("ada", "bob") for slug in ("fan-out", "one-client")
    } | {("cy", "fix-the-article")}
    assert found.unplaced == [("fix-the-article.zip/fix-the-article.py", "no learner is named")]
    assert not found.crowds


def zipped(*members: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for member in members:
            archive.writestr(member, f"app = {member!r}")
    return made.getvalue()


def test_learners_zips_within_the_platforms_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("byronada_7_100_work.zip", zipped("work/fan-out.py"))
        archive.writestr("Bob Ng_8_assignsubmission_file_/w.zip", zipped("fan-out.py", "more.zip"))
        archive.writestr("eve_9_101_work.zip", b"no zip")
    assert placed(tmp_path / "all.zip") == {
        ("byronada", "fan-out"): "byronada_7_100_work.zip/work/fan-out.py",
        ("Bob Ng", "fan-out"): "Bob Ng_8_assignsubmission_file_/w.zip/fan-out.py",
    }
    told = unplaced(tmp_path / "all.zip")
    assert "unpack" in told.pop("eve_9_101_work.zip")
    assert "zip within a zip" in told.pop("Bob Ng_8_assignsubmission_file_/w.zip/more.zip")
    assert not told


def test_a_zip_within_a_zip_is_not_unpacked_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_PACKED", 100)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("eve_9_101_work.zip", zipped("fan-out.py"))
    [(name, why)] = unplaced(tmp_path / "all.zip").items()
    assert name == "eve_9_101_work.zip"
    assert "larger than" in why


def test_names_that_are_utf8_without_saying_so(tmp_path: Path) -> None:
    pack(tmp_path / "all.zip", "Zo\u00eb_7_assignsubmission_file_/fan-out.py")
    data = bytearray((tmp_path / "all.zip").read_bytes())
    data[7] &= 0xF7
    data[data.rfind(b"PK\x01\x02") + 9] &= 0xF7
    (tmp_path / "all.zip").write_bytes(data)
    assert set(placed(tmp_path / "all.zip")) == {("Zo\u00eb", "fan-out")}


def test_a_download_that_is_taken_for_a_learner_is_told(tmp_path: Path) -> None:
    pack(tmp_path / "week 1.zip", "ada_7_100_fan-out.py", "bob_8_101_fan-out.py")
    pack(tmp_path / "cy.zip", "fan-out.py", "cy_9_102_one-client.py")
    assert find(tmp_path, SLUGS).crowds == ["week 1.zip"]


@pytest.mark.skipif(sys.platform == "win32", reason="no folders so deep there")
def test_folders_deeper_than_pythons_stack(tmp_path: Path) -> None:
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=at)
        deeper = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = deeper
    os.close(at)
    put(tmp_path / "ada" / "fan-out.py")
    found = find(tmp_path, SLUGS)
    assert [s.learner for s in found.submissions] == ["ada"]
    assert len(found.unplaced) == 1
    subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


@pytest.fixture(params=["America/Los_Angeles", "Asia/Tokyo", "UTC"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A time zone for this process."""
    if sys.platform == "win32":
        pytest.skip("time zones cannot be set there")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize("hour", [11, 13])
def test_times_in_zips_are_local(tmp_path: Path, hour: int) -> None:
    loose = tmp_path / "ada" / "fan-out.py"
    put(loose)
    noon = time.mktime((2026, 3, 2, 12, 0, 0, 0, 0, -1))
    os.utime(loose, (noon, noon))
    with zipfile.ZipFile(tmp_path / "ada" / "work.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("fan-out.py", (2026, 3, 2, hour, 0, 0)), "app = 2")
    assert placed(tmp_path) == {
        ("ada", "fan-out"): "ada/fan-out.py" if hour < 12 else "ada/work.zip/fan-out.py"
    }


def test_a_zip_with_times_that_are_none(tmp_path: Path) -> None:
    put(tmp_path / "bob" / "fan-out.py")
    (tmp_path / "ada").mkdir()
    with zipfile.ZipFile(tmp_path / "ada" / "work.zip", "w") as archive:
        info = zipfile.ZipInfo("fan-out.py")
        info.date_time = (1980, 0, 0, 0, 0, 0)
        archive.writestr(info, "app = 1")
    [one, _] = find(tmp_path, SLUGS).submissions
    assert one.file.modified == datetime.fromtimestamp(0, UTC)


def notebook(*exercises: str) -> str:
    cells = [
        {"cell_type": "code", "source": f"# exercise: {slug}\napp = 1", "metadata": {}}
        for slug in exercises
    ]
    return json.dumps({"cells": cells})


OLD, NEW = (0, 0), (1_000_000_000, 1_000_000_000)


@pytest.mark.parametrize("ours", ["fan-out.ipynb", "my work.ipynb", "fan-out.py"])
@pytest.mark.parametrize("other", ["helper.py", "notes.ipynb", "fan-out-notes.ipynb"])
def test_what_only_lies_in_an_exercises_folder_does_not_beat_the_answer(
    tmp_path: Path, ours: str, other: str
) -> None:
    folder = tmp_path / "alice" / "fan-out"
    put(folder / ours, notebook("fan-out") if ours.endswith(".ipynb") else "app = 1")
    os.utime(folder / ours, OLD)
    put(folder / other, notebook() if other.endswith(".ipynb") else "def helps(): ...")
    os.utime(folder / other, NEW)
    assert placed(tmp_path) == {("alice", "fan-out"): f"alice/fan-out/{ours}"}
    [(name, why)] = unplaced(tmp_path).items()
    assert name == f"alice/fan-out/{other}"
    assert why in {
        f"only its folder names fan-out; what counts is alice/fan-out/{ours}",
        f"no cell of it is an answer to fan-out; what counts is alice/fan-out/{ours}",
    }


def test_of_several_true_attempts_the_newest_counts_and_all_others_name_it(tmp_path: Path) -> None:
    for number, name in enumerate(("fan-out.py", "work.ipynb", "fan-out-final.py")):
        path = tmp_path / "alice" / "fan-out" / name
        put(path, notebook("fan-out"))
        os.utime(path, (number, number))
    assert placed(tmp_path) == {("alice", "fan-out"): "alice/fan-out/fan-out-final.py"}
    assert set(unplaced(tmp_path).values()) == {
        "a newer attempt counts: alice/fan-out/fan-out-final.py"
    }


def test_any_name_in_an_exercises_folder_counts_where_there_is_no_other(tmp_path: Path) -> None:
    put(tmp_path / "ada" / "fan-out" / "anything.ipynb", notebook())
    put(tmp_path / "bob" / "fan-out" / "anything.py")
    put(tmp_path / "cy" / "fan-out.zip" / "anything.py")
    assert set(placed(tmp_path)) == {(who, "fan-out") for who in ("ada", "bob", "cy")}


def test_cells_tell_more_than_a_folder(tmp_path: Path) -> None:
    put(tmp_path / "ada" / "fan-out" / "work.ipynb", notebook("one-client"))
    assert set(placed(tmp_path)) == {("ada", "one-client")}


def test_the_whole_course_and_its_environment_in_a_zip(tmp_path: Path) -> None:
    lesson = "notebooks/08-fix-the-article.ipynb"
    own = [f"course/exercises/fan-out/{name}.py" for name in ("checks", "given", "starter")]
    packages = "venv/lib/python3.12/site-packages"
    put(tmp_path / "bob" / "fan-out.py")
    (tmp_path / "alice").mkdir()
    with zipfile.ZipFile(tmp_path / "alice" / "work.zip", "w") as archive:
        for slug in ("fan-out", "fix-the-article"):
            info = zipfile.ZipInfo(f"exercises/{slug}.ipynb", (2020, 1, 1, 0, 0, 0))
            archive.writestr(info, notebook(slug))
        for name in (lesson, *own, f"{packages}/server/one-client/app.py", f"{packages}/b.py"):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), "{}")
    assert placed(tmp_path) == {
        ("bob", "fan-out"): "bob/fan-out.py",
        ("alice", "fan-out"): "alice/work.zip/exercises/fan-out.ipynb",
        ("alice", "fix-the-article"): "alice/work.zip/exercises/fix-the-article.ipynb",
    }
    assert set(unplaced(tmp_path)) == {f"alice/work.zip/{packages}"}


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The zips that were opened, each as often as it was."""
    made: list[Path] = []

    class Counting(zipfile.ZipFile):
        def __init__(self, file: Path, *more: str) -> None:
            made.append(file)
            super().__init__(file, *more)

    monkeypatch.setattr(zipfile, "ZipFile", Counting)
    return made


def test_a_zip_is_opened_once_however_much_is_looked_into(
    tmp_path: Path, openings: list[Path]
) -> None:
    put(tmp_path / "bob" / "fan-out.py")
    pack(tmp_path / "alice.zip", "fan-out.py", *(f"{number}.py" for number in range(100)))
    openings.clear()
    [alice, _] = find(tmp_path, SLUGS).submissions
    assert alice.file.read() == b"app = 'fan-out.py'"
    assert openings == [tmp_path / "alice.zip"]


def test_a_class_of_zips_keeps_few_of_them_open(tmp_path: Path, openings: list[Path]) -> None:
    for number in range(files.KEPT_OPEN + 2):
        pack(tmp_path / f"{number}.zip", "fan-out.py")
    openings.clear()
    found = find(tmp_path, SLUGS).submissions
    assert {one.file.read() for one in found} == {b"app = 'fan-out.py'"}
    assert len(openings) == 2 * len(found)


@pytest.mark.parametrize(("limit", "most"), [("MOST_LOOKED_INTO", 3), ("MOST_BYTES", 25)])
def test_what_does_not_name_its_exercise_is_looked_into_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(submissions, limit, most)
    put(tmp_path / "bob.py", "# exercise: fan-out\napp = 1")
    pack(tmp_path / "alice.zip", *(f"{number}.py" for number in range(5)), "fan-out.py")
    with zipfile.ZipFile(tmp_path / "alice.zip", "a") as archive:
        archive.writestr("work.ipynb", notebook("one-client"))
    assert set(placed(tmp_path)) == {
        ("bob", "fan-out"),
        ("alice", "fan-out"),
        ("alice", "one-client"),
    }
    assert [name for name, why in unplaced(tmp_path).items() if "was not looked into" in why] == [
        "alice.zip/3.py",
        "alice.zip/4.py",
    ]


def test_what_cannot_be_looked_into_says_why(tmp_path: Path) -> None:
    put(tmp_path / "bob" / "fan-out.py")
    pack(tmp_path / "alice.zip", "work.py")
    data = bytearray((tmp_path / "alice.zip").read_bytes())
    data[data.rfind(b"PK\x01\x02") + 16] ^= 0xFF  # its checksum
    (tmp_path / "alice.zip").write_bytes(data)
    assert "the zip does not give it out" in unplaced(tmp_path)["alice.zip/work.py"]


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("2015-02-02 15:58:23.948203 UTC\n", "2015-02-02 15:58:23.948203"),
        ("2015-02-02 15:58:23 GMT", "2015-02-02 15:58:23"),
        ("2015-02-02 15:58:23+01:00", "2015-02-02 14:58:23"),
        ("2015-02-02 15:58:23 PST", "2015-02-02 15:58:23 PST"),
        ("yesterday", "yesterday"),
        ("x" * 1000, "x" * 64),
    ],
)
def test_nbgraders_time_of_submission(tmp_path: Path, content: str, shown: str) -> None:
    put(tmp_path / "ada" / "fan-out" / "fan-out.ipynb", notebook("fan-out"))
    put(tmp_path / "ada" / "fan-out" / "timestamp.txt", content)
    (tmp_path / "bob").mkdir()
    with zipfile.ZipFile(tmp_path / "bob" / "all.zip", "w") as archive:
        archive.writestr("fan-out/fan-out.py", "app = 1")
        archive.writestr("fan-out/timestamp.txt", content)
        archive.writestr("one-client.py", "app = 1")
    put(tmp_path / "cy" / "fan-out.py")
    times = {(s.learner, s.exercise): s.file.submitted for s in find(tmp_path, SLUGS).submissions}
    assert times == {
        ("ada", "fan-out"): shown,
        ("bob", "fan-out"): shown,
        ("bob", "one-client"): "",
        ("cy", "fan-out"): "",
    }


@pytest.mark.skipif(sys.platform == "win32", reason="makes links")
def test_a_time_of_submission_is_no_link(tmp_path: Path) -> None:
    put(tmp_path / "secret")
    put(tmp_path / "class" / "ada" / "fan-out.py")
    (tmp_path / "class" / "ada" / "timestamp.txt").symlink_to(tmp_path / "secret")
    [one] = find(tmp_path / "class", SLUGS).submissions
    assert one.file.submitted == ""


def test_a_script_made_of_a_notebook_and_utf_16_are_known_by_their_marker(tmp_path: Path) -> None:
    script = "# In[ ]:\nupstream = 1\n# In[ ]:\n# exercise: relay\napp = 1\n"
    for learner, encoding in (("ada", "utf-8"), ("bob", "utf-16")):
        folder = tmp_path / learner
        folder.mkdir()
        (folder / "my work.py").write_text(script, encoding=encoding)
    found = find(tmp_path, ["relay"])
    assert sorted(one.learner for one in found.submissions) == ["ada", "bob"]
