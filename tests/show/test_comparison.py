"""What a comparison shows: table, picture, text."""

from __future__ import annotations

import base64

import pytest

from unblocked.show.compare._comparison import Comparison
from unblocked.show.compare._picture import Curve
from unblocked.show.compare._table import COLUMNS, number, text_table

PNG = b"\x89PNG\r\n"


def _row(variant: str, threads: int, p50: float | None = 500.0) -> dict[str, object]:
    return {
        "variant": variant,
        "threads_before": 8,
        "threads_peak": 8 + threads,
        "threads_added": threads,
        "memory_added_mb": 12.34,
        "sockets_peak": 300,
        "answers_per_second": 77.34,
        "p50_ms": p50,
        "p99_ms": p50,
        "errors": 0,
    }


@pytest.fixture
def comparison() -> Comparison:
    seconds = [0.1, 0.2]
    return Comparison(
        "50 users",
        [_row("a <pool> per request", 1006), _row("await", 0, None)],
        ["await: 3 of TimeoutError."],
        [
            Curve("a <pool> per request", seconds, [3, 1006], [1, 250]),
            Curve("await", seconds, [0, 0], [None, 250]),
        ],
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [(None, "-"), ("a", "a"), (1006, "1,006"), (77.34, "77.3"), (1234.5, "1,234"), (0.0, "0.0")],
)
def test_numbers_are_written_for_people(value: object, written: str) -> None:
    assert number(value) == written


def test_text_table_is_aligned() -> None:
    lines = text_table(["name", "n"], [["a", "10"], ["long name", "1"]]).splitlines()
    assert lines == ["name        n", "---------  --", "a          10", "long name   1"]


def test_rows_are_found_by_name(comparison: Comparison) -> None:
    assert comparison["await"]["threads_added"] == 0
    with pytest.raises(KeyError):
        comparison["nobody"]


def test_the_bundle_holds_the_same_numbers_three_times(comparison: Comparison) -> None:
    bundle = comparison.bundle()
    assert base64.b64decode(bundle["image/png"]).startswith(PNG)
    for form in ("text/plain", "text/html"):
        for name, _ in COLUMNS:
            assert name in bundle[form]
        assert "1,006" in bundle[form]
        assert "3 of TimeoutError" in bundle[form]


def test_the_page_escapes_names_and_describes_its_picture(comparison: Comparison) -> None:
    html = comparison.bundle()["text/html"]
    assert "<pool>" not in html
    assert 'alt="50 users. a &lt;pool&gt; per request: 1006 threads added' in html
    assert "<script" not in html
    assert 'scope="row"' in html


def test_nothing_measured_is_said(comparison: Comparison) -> None:
    empty = Comparison("50 users", [])
    assert empty.bundle() == {"text/plain": "50 users\nNothing was measured."}


def test_a_picture_needs_no_samples() -> None:
    assert Comparison("t", [_row("a", 1)], curves=[Curve("a", [], [], [])]).png().startswith(PNG)
