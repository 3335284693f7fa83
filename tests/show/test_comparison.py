"""What a comparison shows: table, picture, text."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from unblocked.show.compare import _picture
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
        "answers_lowest": 70.0,
        "answers_highest": 81.2,
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
        for name, _ in COLUMNS[:-1]:
            assert name in bundle[form]
        assert "70.0 to 81.2" in bundle[form]
        assert "threads_added" not in bundle[form]
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


def test_errors_have_a_column_when_there_are_any(comparison: Comparison) -> None:
    comparison.rows[1]["errors"] = 3
    assert "errors" in str(comparison).splitlines()[1]


def test_what_is_printed_has_headings_in_words(comparison: Comparison) -> None:
    assert repr(comparison) == str(comparison)
    assert "threads added" in repr(comparison)
    assert "_" not in repr(comparison)


def test_earlier_variants_are_named_with_what_was_different(comparison: Comparison) -> None:
    later = Comparison("200 users", [_row("await", 0)], beside=comparison.only("await"))
    assert [row["variant"] for row in later.together()[0]] == ["await (50 users)", "await"]
    assert later["await"]["threads_added"] == 0
    again = Comparison("50 users", [_row("await", 0), _row("new", 0)], beside=comparison)
    names = [row["variant"] for row in again.together()[0]]
    assert names == ["a <pool> per request", "await (before)", "await", "new"]
    assert [curve.variant for curve in again.together()[1]] == names[:2]
    third = Comparison("9 users", [_row("new", 0)], beside=later)
    assert len({row["variant"] for row in third.together()[0]}) == 3
    assert third.png().startswith(PNG)


def test_only_what_was_measured_can_be_chosen(comparison: Comparison) -> None:
    assert [curve.variant for curve in comparison.only("await").curves] == ["await"]
    with pytest.raises(KeyError):
        comparison.only("nobody")


def test_panels_that_would_be_empty_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(_picture, "_draw_bar", lambda axes, rows, key, colour: drawn.append(key))
    monkeypatch.setattr(_picture, "_draw_curve", lambda axes, curve, width: drawn.append("curve"))
    nothing = [{**_row("a", 0, None), "answers_per_second": 3.0}]
    _picture.draw("t", nothing, [Curve("a", [0.1], [0], [None])], "calls")
    assert drawn == ["answers_per_second", "memory_added_mb"]


def test_all_curves_have_the_same_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    draw_curve = _picture._draw_curve

    def draw(axes: Any, curve: Curve, width: int) -> None:
        draw_curve(axes, curve, width)
        seen.append(axes)

    monkeypatch.setattr(_picture, "_draw_curve", draw)
    curves = [Curve(str(n), [0.0, float(n)], [n, n], [1, 1]) for n in range(1, 6)]
    _picture.draw("t", [_row("a", 1)], curves, "calls")
    assert len({axes.get_xlim() for axes in seen}) == len({axes.get_ylim() for axes in seen}) == 1
    assert seen[0].get_xlim()[0] == seen[0].get_ylim()[0] == 0
    assert seen[0].get_xlim()[1] > 5, "the longest is not cut off"
    assert seen[0].get_ylim()[1] > 5, "the highest is not cut off"
