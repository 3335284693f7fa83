"""Files made to break the collecting: each is listed or marked, and nobody else notices."""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import RIGHT
from test_classroom import grade, hand_in, results

from unblocked.grading import answer
from unblocked.grading.classroom import reports
from unblocked.grading.classroom.submissions import find
from unblocked.grading.sandbox.run import remove

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unblocked.course import Room

SLUGS = ("fan-out", "relay")
posix = pytest.mark.skipif(sys.platform == "win32", reason="looks into /proc")


def put(path: Path, text: str = "app = 1") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def why(folder: Path) -> dict[str, str]:
    return dict(find(folder, SLUGS).unplaced)


@posix
def test_links_are_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "class"
    theirs = put(folder / "bob" / "fan-out.py")
    (folder / "eve").mkdir()
    (folder / "eve" / "fan-out.py").symlink_to(theirs)
    (folder / "eve" / "relay.py").symlink_to("/dev/zero")
    put(tmp_path / "elsewhere" / "fan-out.py")
    (folder / "mallory").symlink_to(tmp_path / "elsewhere")
    found = find(folder, SLUGS)
    assert [s.learner for s in found.submissions] == ["bob"]
    listed = dict(found.unplaced)
    assert set(listed) == {"eve/fan-out.py", "eve/relay.py", "mallory"}
    assert all("link" in reason for reason in listed.values())


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    path = put(tmp_path / "ada" / "fan-out.py")
    os.truncate(path, 1 << 40)
    [submission] = find(tmp_path, SLUGS).submissions
    assert len(submission.file.read()) == answer.LARGEST + 1


def test_a_member_that_unpacks_without_end_is_not_read_whole(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("eve/fan-out.py", b"\0" * (50 << 20))
        archive.writestr("ada/fan-out.py", "app = 1")
    found = find(tmp_path, SLUGS)
    assert max(len(s.file.read()) for s in found.submissions) <= answer.LARGEST + 1


def test_a_zip_with_too_many_members(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for number in range(60_000):
            archive.writestr(f"{number}/x", "")
    put(tmp_path / "ada" / "fan-out.py")
    found = find(tmp_path, SLUGS)
    assert len(found.submissions) == 1
    assert "members" in dict(found.unplaced)["all.zip"]


def damaged(path: Path, kind: str) -> None:
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fan-out.py", "app = 1")
    data = bytearray(path.read_bytes())
    central = data.rfind(b"PK\x01\x02")
    if kind == "encrypted":
        data[6] |= 1
        data[central + 8] |= 1
    elif kind == "method":
        struct.pack_into("<H", data, 8, 99)
        struct.pack_into("<H", data, central + 10, 99)
    elif kind == "checksum":
        data[central + 16] ^= 0xFF
    elif kind == "name":
        data[central + 9] |= 8
        data[central + 46] = 0xFF
    path.write_bytes(data)


@posix
@pytest.mark.parametrize("kind", ["encrypted", "method", "checksum", "name"])
def test_a_zip_that_cannot_be_read_stops_nobody(tmp_path: Path, relay: Room, kind: str) -> None:
    folder, out = tmp_path / "class", tmp_path / "marks"
    path = folder / "eve" / "work.zip"
    damaged(path, kind)
    hand_in(folder, "ada", RIGHT)
    done = grade(folder, out, relay)
    assert done.returncode == 0, done.stderr
    assert [r["learner"] for r in results(out)] == ["ada"]
    assert (
        "work.zip" in (out / "not-marked.csv").read_text()
        or "fan-out" in (out / "not-marked.csv").read_text()
    )


def test_numbers_of_any_length_in_names(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr(f"eve_1_{'9' * 6000}_fan-out.py", "app = 1")
    find(tmp_path, SLUGS)


def test_a_learners_own_zip_speaks_for_that_learner_only(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "eve_12_34_work.zip", "w") as archive:
        archive.writestr("bob/fan-out.py", "app = 'mine'")
    put(tmp_path / "bob_13_33_fan-out.py")
    whose = {(s.learner, s.file.shown) for s in find(tmp_path, SLUGS).submissions}
    assert whose == {
        ("eve", "eve_12_34_work.zip/bob/fan-out.py"),
        ("bob", "bob_13_33_fan-out.py"),
    }


@posix
def test_names_and_messages_that_are_no_text(tmp_path: Path, relay: Room) -> None:
    folder, out = tmp_path / "class", tmp_path / "marks"
    os.makedirs(os.fsencode(folder) + b"/\xff\xfe/relay")
    with open(os.fsencode(folder) + b"/\xff\xfe/relay/relay.py", "w") as file:
        file.write(RIGHT)
    hand_in(folder, "ada", r"raise ValueError('\ud800')")
    hand_in(folder, "bob", "x" * 100 + "\n" * (12 << 20))
    done = grade(folder, out, relay)
    assert done.returncode == 0, done.stderr
    assert sorted(r["points"] for r in results(out)) == [0, 0, 6]
    assert len(list(out.glob("feedback/*/relay.html"))) == 3


@posix
def test_an_answer_that_takes_its_worker_with_it(
    tmp_path: Path, relay: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the lowest level nothing keeps an answer from killing the processes that mark it."""
    folder, out = tmp_path / "class", tmp_path / "marks"
    killer = "import os, signal\nfor pid in {pids}: os.kill(pid, signal.SIGKILL)\n"
    family = """
pids, pid = [], os.getppid()
for _ in range(3):
    pids.append(pid)
    pid = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
"""
    source = "import os, signal\n" + family + killer.format(pids="pids")
    hand_in(folder, "eve", source + RIGHT)
    for learner in ("ada", "bob", "cy"):
        hand_in(folder, learner, RIGHT + f"# {learner}\n")
    monkeypatch.setenv("UNBLOCKED_RUNG", "limits")
    done = grade(folder, out, relay)
    assert done.returncode == 0, done.stderr
    marks = {r["learner"]: r["points"] for r in results(out)}
    assert {marks.pop("eve")} <= {0, 6}
    assert marks == {"ada": 6, "bob": 6, "cy": 6}


def test_safe_names_of_any_text() -> None:
    assert reports.safe_name("\udcff") != reports.safe_name("\udcfe")


@posix
def test_a_folder_that_its_owner_may_not_list_is_removed() -> None:
    folder = Path(tempfile.mkdtemp())
    for mode in (0o300, 0o000, 0o500):
        below = folder / f"{mode:o}" / "deeper" / "deepest"
        below.mkdir(parents=True)
        (below / "file").touch()
    (folder / "link").symlink_to(Path(__file__).parent)
    mode_beside = Path(__file__).parent.stat().st_mode
    with not_as_root(folder):
        for mode in (0o300, 0o000, 0o500):
            (folder / f"{mode:o}" / "deeper").chmod(mode)
            (folder / f"{mode:o}").chmod(mode)
        folder.chmod(0o300)
        remove(str(folder))
    assert not folder.exists()
    assert Path(__file__).parent.stat().st_mode == mode_beside


@contextlib.contextmanager
def not_as_root(folder: Path) -> Iterator[None]:
    """As somebody whom rights bind, and who owns this folder."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65534
    for here, _, files in os.walk(folder):
        for path in (here, *(os.path.join(here, name) for name in files)):
            os.chown(path, nobody, nobody, follow_symlinks=False)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)
