"""Whose marks are whose, and which tables and pages a class's marks become."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pytest
from test_reports import result

from unblocked.grading import classroom
from unblocked.grading.submissions import Found, find

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
