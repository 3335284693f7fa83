"""The map of the course."""

from __future__ import annotations

import json
from html import escape
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from unblocked import marks
from unblocked._next import next_step
from unblocked.show.learner import _progress, _work

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNBLOCKED_HOME", str(tmp_path))
    return tmp_path


def _lesson(name: str, title: str) -> Any:
    return SimpleNamespace(name=name, title=title, minutes=25)


def _room(slug: str, lesson: str) -> Any:
    return SimpleNamespace(slug=slug, title=f"Do {slug}", minutes=20, points=10, lesson=lesson)


LESSONS = (_lesson("01-a-server", "A server"), _lesson("02-threads", "Threads <&>"))
ROOMS = (_room("serve-it", "01-a-server"), _room("bound-it", "02"), _room("alone", "99"))


@pytest.mark.parametrize(
    "content", [None, "no JSON", "[]", '{"serve-it": {"points": null}}', '{"serve-it": 5}']
)
def test_without_usable_marks_there_are_none(home: Path, content: str | None) -> None:
    if content is not None:
        (home / "marks.json").write_text(content)
    assert marks.best() == {}


def test_text_shows_lessons_exercises_and_the_best_mark() -> None:
    text = _progress._as_text(LESSONS, ROOMS, {"serve-it": {"points": 7}})
    assert "01  A server  (25 min)" in text
    assert "serve-it  Do serve-it  (20 min, 10 points): 7 of 10" in text
    assert "bound-it  Do bound-it  (20 min, 10 points): not tried yet" in text
    assert text.endswith("Your points: 7 of 30")


def test_the_table_links_each_exercise_below_its_lesson() -> None:
    html = _progress._as_html(LESSONS, ROOMS, {"bound-it": {"points": 10}})
    order = [
        html.index(f"{name}.ipynb")
        for name in ("01-a-server", "serve-it", "02-threads", "bound-it", "alone")
    ]
    assert order == sorted(order)
    assert "Threads &lt;&amp;&gt;" in html
    assert 'value="1.000"' in html
    assert "10 of 10" in html


def test_progress_prints_the_map(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "marks.json").write_text(json.dumps({"no-such-exercise": {"points": 3}}))
    _progress.progress()
    assert "Lessons" in capsys.readouterr().out


@pytest.mark.parametrize("buttons", [True, False])
@pytest.mark.usefixtures("home")
def test_a_button_is_named_only_where_one_is_shown(
    buttons: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_work, "vanishing_machine", lambda: "Codespace")
    monkeypatch.setattr(_progress, "has_front_end", lambda: buttons)
    _progress.progress()
    said = capsys.readouterr().out
    assert ("press the button" in said) is buttons
    assert "run `unblocked save my-unblocked-work.zip` in a terminal" in said


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ({}, "Next: lesson 01, A server (25 min)."),
        ({"serve-it": 7}, "Next: exercise serve-it, Do serve-it (20 min, 7 of 10 points so far)."),
        ({"serve-it": 10}, "Next: lesson 02, Threads <&> (25 min)."),
        ({"bound-it": 10}, "Next: lesson 01, A server (25 min)."),
        ({"serve-it": 10, "bound-it": 10}, "Next: exercise alone, Do alone (20 min)."),
        ({"serve-it": 10, "bound-it": 10, "alone": 10}, "You have full marks in every exercise."),
    ],
)
def test_progress_says_what_to_do_next(points: dict[str, int], said: str) -> None:
    best = {slug: {"points": got} for slug, got in points.items()}
    assert next_step(LESSONS, ROOMS, best) == said
    assert said in _progress._as_text(LESSONS, ROOMS, best)
    assert escape(said) in _progress._as_html(LESSONS, ROOMS, best)


def test_a_lesson_without_exercise_is_done_when_a_later_one_was_tried() -> None:
    lessons = (_lesson("00-start", "Start"), *LESSONS)
    assert next_step(lessons, ROOMS, {}).startswith("Next: lesson 00")
    assert next_step(lessons, ROOMS, {"serve-it": {"points": 1}}).startswith(
        "Next: exercise serve-it"
    )
