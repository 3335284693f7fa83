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
        ("no-answer", "no answer to mark"),
        ("crashed", "ended before"),
        ("timeout", "its time was over"),
        ("out-of-memory", "more memory"),
    ],
)
def test_an_outcome_is_put_into_words(shown: list[dict[str, str]], outcome: str, said: str) -> None:
    check_view("go", "Let go", NAMES).finish(result(PASSED, outcome=outcome))
    assert said in shown[-1]["text/html"]
    assert "not reached" in shown[-1]["text/html"]


def test_in_a_terminal_lines_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    view = check_view("go", "Let go", NAMES, HINTS)
    view.update(PASSED)
    view.update(FAILED)
    view.finish(result(PASSED, FAILED))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Let go (go): 2 criteria"
    assert "  ✓ five at once (5 of 5)" in lines
    assert "      Saw: <5> open" in lines
    assert lines[-2:] == ["5 of 10 points.", "There are 2 hints at the end of the exercise."]
