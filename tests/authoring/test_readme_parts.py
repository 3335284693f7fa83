"""The parts of the README that the build writes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from unblocked.authoring._pages import read_course
from unblocked.authoring._readme import binder_link, readme
from unblocked.course import CourseError

if TYPE_CHECKING:
    from pathlib import Path


def made(root: Path) -> str:
    return readme(read_course(root / "course"), root)


def test_the_map_sums_minutes_and_points(root: Path) -> None:
    lines = made(root).splitlines()
    assert "| **together** | **40 min** | | **10** | **15 min** | |" in lines
    assert any("[01 · Counting](notebooks/01-counting.ipynb) | 20 min" in line for line in lines)
    assert any("[Add up](exercises/add-up.ipynb) | 10 | 15 min" in line for line in lines)


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
