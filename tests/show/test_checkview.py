"""How a mark appears."""

from __future__ import annotations

from typing import Any

import pytest

from unblocked.show.learner import _checkview, check_view

NAMES = ["five at once", "lets go"]
PASSED = {"name": NAMES[0], "passed": True, "points": 5, "max_points": 5, "message": "Well."}
FAILED = {
    "name": NAMES[1],
    "passed": False,
    "points": 0,
    "max_points": 5,
    "message": "Called: GET /\nSaw: <5> open\nExpected: `0`\nLook at: who closes",
}
HINTS = ["Read the `docs`.\n\nTwice.", "Do this:\n\n```python\nasync with x:\n    ...\n```\n"]


def result(*checks: dict[str, Any], outcome: str = "graded") -> dict[str, Any]:
    points = sum(check["points"] for check in checks)
    return {"points": points, "max_points": 10, "outcome": outcome, "checks": list(checks)}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What a notebook is given, one after the other."""
    pages: list[dict[str, str]] = []
    monkeypatch.setattr(_checkview, "in_kernel", lambda: True)
    monkeypatch.setattr(_checkview.Slot, "put", lambda self, bundle: pages.append(bundle))
    return pages


def test_all_criteria_wait_at_first(shown: list[dict[str, str]]) -> None:
    check_view("go", "Let go", NAMES, HINTS)
    assert shown[0]["text/plain"].count("waiting") == 2
    assert "0 of 2 criteria decided" in shown[0]["text/html"]


def test_each_criterion_shows_as_it_comes(shown: list[dict[str, str]]) -> None:
    view = check_view("go", "Let go", NAMES, HINTS)
    view.update(PASSED)
    assert "✓&nbsp;passed" in shown[-1]["text/html"]
    assert "…&nbsp;waiting" in shown[-1]["text/html"]
    view.update(FAILED)
    page = shown[-1]["text/html"]
    assert "<i>Saw:</i> &lt;5&gt; open<br><i>Expected:</i> <code>0</code>" in page
    assert "<i>Look at:</i> who closes" in page
    assert "details" not in page


def test_hints_are_nested_and_only_offered_when_points_are_missing(
    shown: list[dict[str, str]],
) -> None:
    view = check_view("go", "Let go", NAMES, HINTS)
    view.finish(result(PASSED, FAILED))
    page = shown[-1]["text/html"]
    assert page.count("<details>") == 2
    assert page.index("A hint") < page.index("Twice.") < page.index("The next hint")
    assert "<pre>async with x:\n    ...\n</pre>" in page
    view.finish(result(PASSED, {**FAILED, "passed": True, "points": 5}))
    assert "<details>" not in shown[-1]["text/html"]
    assert "10 of 10 points: everything passed." in shown[-1]["text/plain"]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("crashed", "ended before"),
        ("timeout", "its time was over"),
        ("out-of-memory", "more memory"),
    ],
)
def test_an_outcome_is_put_into_words(shown: list[dict[str, str]], outcome: str, said: str) -> None:
    check_view("go", "Let go", NAMES).finish(result(PASSED, outcome=outcome))
    assert said in shown[-1]["text/html"]
    assert "not reached" in shown[-1]["text/html"]


def test_an_untouched_starter_did_not_fail_and_says_what_to_do(
    shown: list[dict[str, str]],
) -> None:
    reason = {**FAILED, "points": 0, "message": "Not attempted: this is the starter."}
    others = {**PASSED, "passed": False, "points": 0, "message": "Not judged."}
    check_view("go", "Let go", NAMES, HINTS).finish(result(reason, others, outcome="no-answer"))
    for form in ("text/plain", "text/html"):
        page = shown[-1][form]
        assert "no answer to mark" in page
        assert page.count("Not attempted") == 1
        assert "failed" not in page.lower()
        assert page.count("not tried") == 2
        assert "# exercise: go" in page
        assert "Then run this cell again." in page


def test_the_hint_that_is_offered_fits_what_failed() -> None:
    hints = [
        "<!-- for: five at once -->\nStart all.",
        "In general.",
        "<!-- for: other, a source that fails, and goes on, lets go -->\nClose it.",
    ]
    order = _checkview.fitting(["lets go"], hints)
    assert order == ["Close it.", "In general.", "Start all."]
    assert _checkview.fitting(["a source that fails, and goes on"], hints) == order
    assert _checkview.fitting([], hints)[0] == "In general."
    assert _checkview.fitting(["go"], hints)[0] == "In general."
    assert _checkview.fitting(["x"], ["one", "two"]) == ["one", "two"]


def test_after_full_marks_ones_own_code_stands_beside_the_others(
    shown: list[dict[str, str]],
) -> None:
    others = [("The reference solution", "x < 1"), ("In another style: short", "y = 2")]
    view = check_view("go", "Let go", NAMES, HINTS, own="mine = 1", others=lambda: others)
    view.finish(result(PASSED, FAILED))
    assert "x &lt; 1" not in shown[-1]["text/html"]
    view.finish(result(PASSED, {**FAILED, "passed": True, "points": 5}))
    page = shown[-1]["text/html"]
    assert "<summary>The reference solution</summary>" in page
    assert page.count("mine = 1") == 2
    assert page.index("x &lt; 1") < page.index("y = 2")
    view = check_view("go", "Let go", NAMES, HINTS, own="mine = 1")
    view.finish(result(PASSED, {**FAILED, "passed": True, "points": 5}))
    assert "<details>" not in shown[-1]["text/html"]


def test_one_reason_for_all_criteria_stands_once_on_top(shown: list[dict[str, str]]) -> None:
    reason, rest = "SyntaxError: line 3", "Not judged, for the reason that is told with the first."
    checks = [
        {**FAILED, "name": n, "message": m} for n, m in zip(NAMES, (reason, rest), strict=True)
    ]
    check_view("go", "Let go", NAMES).finish(
        {**result(*checks, outcome="crashed"), "note": "A magic was left out."}
    )
    for page in shown[-1].values():
        assert page.count(reason) == 1
        assert page.index(reason) < page.index(NAMES[0])
        assert "Not judged" not in page
        assert "A magic was left out." in page


def test_in_a_terminal_nothing_is_told_twice(capsys: pytest.CaptureFixture[str]) -> None:
    view = check_view("go", "Let go", NAMES, told="Marked: your cell.")
    view.update(FAILED)
    view.again(1)
    view.update(FAILED)
    view.update({**FAILED, "passed": True})
    out = capsys.readouterr().out
    assert out.count("FAILED  0/5  lets go") == 1
    assert out.count("passed  0/5  lets go") == 1
    assert "1 criterion is judged once more" in out
    assert out.startswith("Marked: your cell.\n")


def test_in_a_terminal_lines_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    view = check_view("go", "Let go", NAMES, HINTS)
    view.update(PASSED)
    view.update(FAILED)
    view.finish(result(PASSED, FAILED))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Let go (go): 2 criteria"
    assert "passed  5/5  five at once" in lines
    assert f"{'':14}Saw: <5> open" in lines
    assert lines[-2:] == ["5 of 10 points.", "There are 2 hints at the end of the exercise."]
