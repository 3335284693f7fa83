"""Whose it is, which exercise it answers, and which attempt counts."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

from unblocked.grading.submissions import find

if TYPE_CHECKING:
    from pathlib import Path

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
    assert set(placed(tmp_path)) == {("bob", "fan-out"), ("eve", "fan-out"), ("eve", "one-client")}


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
