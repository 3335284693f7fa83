"""The study of the course's own cost: its parts, and what it says of them."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from bench import course

SOLUTIONS = Path(__file__).parents[2] / "solutions"
SUITES = """<testsuites>
<testsuite name="one" tests="3" time="1.5"/><testsuite name="two" tests="4" time="2.5"/>
</testsuites>"""


def test_the_suites_time_is_told_only_where_a_file_says_it(tmp_path: Path) -> None:
    file = tmp_path / "tests.xml"
    assert course._suite(file) == {}
    file.write_text(SUITES, encoding="utf-8")
    assert course._suite(file) == {"the test suite, seconds": 4.0, "tests in it": 7}


def _lesson_of(folder: Path, *sources: str, meant: str = "") -> Path:
    cells = [v4.new_code_cell(source) for source in sources]  # type: ignore[no-untyped-call]
    for one in cells:
        one.metadata["tags"] = ["raises-exception"] if one.source == meant else []
    path = folder / "lesson.ipynb"
    nbformat.write(v4.new_notebook(cells=cells), path)  # type: ignore[no-untyped-call]
    return path


def test_a_lesson_counts_its_cells_and_the_errors_that_are_not_meant(tmp_path: Path) -> None:
    row = course._lesson(_lesson_of(tmp_path, "1 / 0", "undefined", "2", meant="1 / 0"))
    assert (row["lesson"], row["cells"], row["unexpected_errors"]) == ("lesson", 3, 1)
    assert 0 < row["slowest_cell_s"] < row["seconds"]


def test_a_solution_is_checked_and_nobodys_marks_are_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBLOCKED_HOME", str(tmp_path / "mine"))
    with course._at_home(tmp_path):
        row = course._checked(SOLUTIONS / "bounded-threads.ipynb", 1)
    assert row["points"] == "10 of 10"
    assert row["of_it_marking_s"] < row["seconds"]
    assert os.environ["UNBLOCKED_HOME"] == str(tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_what_cannot_be_checked_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="unblocked check nothing"):
        course._checked(tmp_path / "nothing.ipynb", 1)


def test_up_is_when_the_page_is_there(tmp_path: Path) -> None:
    port = course._free_port()
    assert not course._answers(port)
    serving = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    answers = partial(course._answers, port)
    looks: list[bool] = []

    def seen() -> bool:
        looks.append(answers())
        (tmp_path / "lab").touch()  # From now on it is no longer 404.
        return looks[-1]

    assert course._until_up(serving, tmp_path, os.environ, seen) > 0
    assert looks[-1]
    assert not looks[0]
    assert not answers()


def test_what_ends_before_it_is_up_says_why(tmp_path: Path) -> None:
    ending = [sys.executable, "-c", "import sys; sys.exit('no such port')"]
    with pytest.raises(OSError, match="no such port"):
        course._until_up(ending, tmp_path, os.environ, lambda: False)


def _begun(nothing: float) -> dict[str, list[float]]:
    names = (course.COLD, course.WARM, course.NOTHING, course.FIRST, course.LAB, course.WHOLE)
    seconds = ([9.0], [1.0], [nothing, 0.04], [3.0], [2.0, 2.2], [2.1, 2.2])
    return dict(zip(names, seconds, strict=True))


@pytest.mark.parametrize(("nothing", "said"), [(0.05, ": kept in 2"), (0.6, ": not kept in 2")])
def test_the_limit_of_a_later_start_is_judged_by_its_slowest(nothing: float, said: str) -> None:
    assert any(said in note for note in course._notes("full", _begun(nothing), 1, [], 1, []))


def test_what_start_adds_is_taken_pair_by_pair() -> None:
    assert course._added(_begun(0.05)) == pytest.approx([0.1, 0.0])
