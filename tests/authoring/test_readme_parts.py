"""The parts of the README that the build writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from unblocked.authoring.readme import binder_link, guide, readme
from unblocked.authoring.readme._figures import RESULTS
from unblocked.course import CourseError, read_course

HERE = Path(__file__).resolve().parents[2]


def made(root: Path) -> str:
    return readme(read_course(root / "course"), root)


def test_the_map_sums_minutes_and_points(root: Path) -> None:
    lines = made(root).splitlines()
    assert "| **together** | **40 min** | | **10** | **15 min** | |" in lines
    assert any("[01 · Counting](notebooks/01-counting.ipynb) | 20 min" in line for line in lines)
    assert any("[Add up](exercises/add-up.ipynb) | 10 | 15 min" in line for line in lines)


def test_deeper_pages_stand_below_the_lessons_with_their_minutes(root: Path) -> None:
    text = made(root)
    below = text.partition("| **together** |")[2]
    assert "- [What it costs](notebooks/deeper/what-it-costs.ipynb), 10 min\n" in below
    shutil.rmtree(root / "course/deeper")
    assert "Deeper" not in made(root)


def test_the_guide_lists_paths_with_their_minutes_summed(root: Path) -> None:
    text = guide(read_course(root / "course"), root)
    assert text is not None
    assert "old" not in text
    assert text.splitlines()[3:] == [
        "**An hour**, 35 minutes in all:",
        "",
        "1. [00 · Start](notebooks/00-start.ipynb), 20 min",
        "2. [01 · Counting, in short](notebooks/01-counting-in-short.ipynb), 5 min",
        "3. Exercise: [Add up](exercises/add-up.ipynb), begun together: 10 min of its 15",
        "",
        "**More**, 35 minutes in all:",
        "",
        "1. [01 · Counting](notebooks/01-counting.ipynb), 20 min",
        "2. Exercise: [Add up](exercises/add-up.ipynb), 15 min",
        "<!-- /built: paths -->",
    ]


def test_a_guide_without_the_marks_is_told(root: Path) -> None:
    (root / "INSTRUCTORS.md").write_text("# Teaching\n", "utf-8")
    with pytest.raises(CourseError, match=r"INSTRUCTORS\.md needs"):
        guide(read_course(root / "course"), root)


def test_the_readme_counts_the_exercises_that_are_there() -> None:
    number = {10: "Ten", 11: "Eleven", 12: "Twelve", 13: "Thirteen"}
    rooms = read_course(HERE / "course").rooms
    assert f"{number[len(rooms)]} exercises are marked" in (HERE / "README.md").read_text("utf-8")


def test_a_course_without_paths_needs_no_guide(root: Path) -> None:
    (root / "course/paths.toml").unlink()
    assert guide(read_course(root / "course"), root) is None


def test_every_row_has_as_many_cells_as_the_head(root: Path) -> None:
    rows = [line for line in made(root).splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {7}


def test_the_badge_opens_the_first_lesson_at_the_address_of_pyproject(root: Path) -> None:
    link = binder_link("https://github.com/some/where", "notebooks/00-start.ipynb")
    assert f"]({link})" in made(root)
    parts = urlsplit(link)
    assert parts.path == "/v2/gh/some/where/HEAD"
    assert parse_qs(parts.query) == {"urlpath": ["lab/tree/notebooks/00-start.ipynb"]}
    assert "urlpath=lab%2Ftree%2Fnotebooks%2F00-start.ipynb" in link


def test_an_address_elsewhere_is_given_whole() -> None:
    link = binder_link("https://codeberg.org/some/where", "a b.ipynb")
    assert "/v2/git/https%3A%2F%2Fcodeberg.org%2Fsome%2Fwhere/HEAD" in link
    assert link.endswith("urlpath=lab%2Ftree%2Fa%20b.ipynb")


def test_what_is_written_by_hand_stays(root: Path) -> None:
    text = made(root)
    assert text.startswith("# Hi\n")
    assert "\ntext\n" in text
    assert "old" not in text


@pytest.mark.parametrize("mark", ["<!-- built: map -->", "<!-- /built: binder -->"])
def test_a_missing_mark_is_told(root: Path, mark: str) -> None:
    path = root / "README.md"
    path.write_text(path.read_text("utf-8").replace(mark, ""), "utf-8")
    with pytest.raises(CourseError, match="built"):
        made(root)


def test_a_missing_address_is_told(root: Path) -> None:
    (root / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(CourseError, match="Repository"):
        made(root)


def asks_for_figures(root: Path, study: object) -> None:
    readme_file = root / "README.md"
    text = readme_file.read_text("utf-8")
    readme_file.write_text(f"{text}\n<!-- built: figures -->\n<!-- /built: figures -->\n", "utf-8")
    (root / RESULTS).parent.mkdir(parents=True)
    (root / RESULTS).write_text(json.dumps(study), "utf-8")


NAME = "HttpxAiohttpClient"
CALLED = "HTTPX over aiohttp's pool"
"""What the table calls it."""


@pytest.fixture
def study() -> dict[str, Any]:
    """The study's results, one round with every load and nothing failed."""
    found: dict[str, Any] = json.loads((HERE / RESULTS).read_text("utf-8"))
    for row in found["tables"]["Upstream of 200 ms"]:
        row.update({"first_round_only": "no", "errors": 0})
    return found


def measured(study: dict[str, Any], users: int) -> dict[str, Any]:
    rows = study["tables"]["Upstream of 200 ms"]
    return next(row for row in rows if (row["variant"], row["users"]) == (NAME, users))


def shown(root: Path, study: object) -> tuple[list[str], str]:
    """The cells of the variant's line, and the caption."""
    asks_for_figures(root, study)
    lines = made(root).splitlines()
    (line,) = [line for line in lines if line.startswith(f"| {CALLED} |")]
    (caption,) = [line for line in lines if line.startswith("*Answers per second")]
    return [cell.strip() for cell in line.strip("|").split("|")], caption


def test_figures_are_those_of_the_study(root: Path, study: dict[str, Any]) -> None:
    measured(study, 50)["answers_per_second"] = 1234.5
    measured(study, 200).update({"threads_added": 7, "cpu_ms_per_call": 0.123})
    study["tables"]["Upstream of 200 ms"].remove(measured(study, 10))
    cells, caption = shown(root, study)
    assert cells[2:4] == ["not tried", "1,234"]
    assert cells[5:] == ["7", "0.12 ms"]
    assert "warm" in caption
    assert "¹" not in caption
    assert "Failed: " not in caption


def test_what_is_the_first_round_is_not_called_warm(root: Path, study: dict[str, Any]) -> None:
    row = {"first_round_only": "yes", "answers_per_second": 35.6, "errors": 49, "repetitions": 1}
    measured(study, 200).update(row)
    cells, caption = shown(root, study)
    assert cells[4] == "36¹, 49 of 200 failed"
    assert "¹" not in "".join(cells[:4])
    assert "warm but for ¹" in caption
    assert "Failed: " in caption


def test_failures_are_told_where_the_number_of_all_is_not_known(
    root: Path, study: dict[str, Any]
) -> None:
    measured(study, 50).update({"answers_per_second": 417.0, "errors": 3})
    cells, caption = shown(root, study)
    assert cells[3] == "417, 3 failed"
    assert "¹" not in caption
    assert "Failed: " in caption


def test_the_picture_of_the_readme_is_drawn_by_the_study_of_its_table() -> None:
    text = (HERE / "README.md").read_text("utf-8")
    assert f"]({Path(RESULTS).with_suffix('.png').as_posix()})" in text


@pytest.mark.parametrize("study", [{}, [], {"rows": [], "tables": {}}, {"rows": 1}])
def test_figures_that_are_not_there_are_told(root: Path, study: object) -> None:
    asks_for_figures(root, study)
    with pytest.raises(CourseError, match="bench fanout --full"):
        made(root)
