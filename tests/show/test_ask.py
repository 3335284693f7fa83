"""Predictions and the quiz."""

from __future__ import annotations

import math
from typing import Any

import pytest

from unblocked.show.learner import _ask
from unblocked.show.learner._ask import Predict, quiz

WHO = {"ask": "Who waits?", "options": {"the loop": "No: it turns.", "a thread": "Yes."}}


@pytest.fixture
def predict() -> Predict:
    return Predict()


@pytest.mark.parametrize(
    ("guess", "actual", "said"),
    [
        (251, 251, "You predicted 251; measured: 251. Exactly right."),
        (240, 251, "Within a tenth"),
        (50, 251, "Too low by a factor of 5.0"),
        (1000, 250, "Too high by a factor of 4.0"),
        (0, 250, "Off by 250"),
        (3, 0, "Off by 3"),
    ],
)
def test_a_score_says_how_close_the_prediction_was(
    predict: Predict,
    capsys: pytest.CaptureFixture[str],
    guess: float,
    actual: float,
    said: str,
) -> None:
    predict.enter("threads", guess)
    predict.score("threads", actual)
    assert said in capsys.readouterr().out


def test_without_a_prediction_the_measured_value_is_told(
    predict: Predict, capsys: pytest.CaptureFixture[str]
) -> None:
    predict.score("threads", 1006)
    assert capsys.readouterr().out == "No prediction was entered; measured: 1,006.\n"


def test_without_a_front_end_the_question_is_printed(
    predict: Predict, capsys: pytest.CaptureFixture[str]
) -> None:
    predict("How many threads?", key="threads")
    assert capsys.readouterr().out == "Your prediction: How many threads?\n"
    assert predict.value("threads") is None


def test_typing_a_number_enters_it_and_emptying_the_field_drops_it(predict: Predict) -> None:
    box = _ask._prediction_box(predict, "How many?", "threads", "threads")
    field, _, note = box.children[2].children
    field.value = "1,000"
    assert predict.value("threads") == 1000
    assert "noted" in note.value
    field.value = "many"
    assert predict.value("threads") is None
    assert "not a number" in note.value
    field.value = ""
    assert predict.value("threads") is None
    assert ">not a number" not in note.value


@pytest.mark.parametrize(
    ("typed", "noted", "said"),
    [
        ("0,5", 0.5, "0.5"),
        ("1,5", 1.5, "1.5"),
        ("0,500", 0.5, "0.5"),
        ("12,34", 12.34, "12.34"),
        ("1,000", 1000, "1,000"),
        ("1,234,567.5", 1_234_567.5, "1,234,567.5"),
        ("12,345.", 12_345, "12,345"),
        ("-1,000", -1000, "-1,000"),
        ("1\N{NARROW NO-BREAK SPACE}000", 1000, "1,000"),
        (" 250 ", 250, "250"),
        ("123.7", 123.7, "123.7"),
        ("1e3", 1000, "1,000"),
    ],
)
def test_a_comma_is_a_decimal_point_where_it_parts_no_thousands(
    predict: Predict, typed: str, noted: float, said: str
) -> None:
    assert _ask._take(predict, "n", typed) == f"noted: {said}"
    assert predict.value("n") == noted
    box = _ask._prediction_box(predict, "How many?", "n", "")
    assert box.children[2].children[0].value == said
    assert _ask._take(predict, "n", said) == f"noted: {said}"


@pytest.mark.parametrize(
    ("typed", "unit", "noted", "said"),
    [
        ("400 ms", "s", 0.4, "noted: 0.4 s"),
        ("400ms", "s", 0.4, "noted: 0.4 s"),
        ("0,4", "s", 0.4, "noted: 0.4"),
        ("0,4 s", "ms", 400, "noted: 400 ms"),
        ("4e2 MS", "s", 0.4, "noted: 0.4 s"),
        ("1e3", "ms", 1000, "noted: 1,000"),
        ("1,5 min", "s", 90, "noted: 90 s"),
        ("250 threads", "threads", 250, "noted: 250"),
        ("12 Threads", "threads", 12, "noted: 12"),
        ("5 %", "%", 5, "noted: 5"),
        ("5 apples", "threads", None, "that is not a number yet"),
        ("400 ms", "threads", None, "that is not a number yet"),
        ("ms", "s", None, "that is not a number yet"),
    ],
)
def test_a_unit_may_stand_behind_the_number(
    predict: Predict, typed: str, unit: str, noted: float | None, said: str
) -> None:
    assert _ask._take(predict, "n", typed, unit) == said
    assert predict.value("n") == noted


@pytest.mark.parametrize("typed", ["1.000,5", "1,234,5", ",", "inf", "nan", "five"])
def test_what_may_mean_anything_is_not_noted(predict: Predict, typed: str) -> None:
    assert "not a number" in _ask._take(predict, "n", typed)
    assert predict.value("n") is None


@pytest.mark.parametrize("actual", [math.nan, math.inf])
def test_where_nothing_was_answered_nothing_was_measured(
    predict: Predict, capsys: pytest.CaptureFixture[str], actual: float
) -> None:
    predict.score("p50", actual)
    predict.enter("p50", 0.2)
    predict.score("p50", actual)
    assert capsys.readouterr().out == (
        "No prediction was entered; nothing was measured.\n"
        "You predicted 0.2; nothing was measured.\n"
    )


def test_a_prediction_that_is_no_number_is_refused(predict: Predict) -> None:
    with pytest.raises(ValueError, match="a prediction must be a number, not nan"):
        predict.enter("p50", math.nan)


def test_asking_again_shows_what_was_entered(predict: Predict) -> None:
    predict.enter("threads", 250)
    box = _ask._prediction_box(predict, "How many?", "threads", "")
    assert box.children[2].children[0].value == "250"


def test_the_quiz_is_text_without_a_front_end(capsys: pytest.CaptureFixture[str]) -> None:
    quiz({**WHO, "right": "a thread"})  # type: ignore[typeddict-item]
    printed = capsys.readouterr().out
    assert "Who waits?" in printed
    assert ") a thread" in printed
    assert "Yes." not in printed


def test_a_question_whose_right_answer_is_no_option_is_refused() -> None:
    with pytest.raises(ValueError, match="not an option"):
        quiz({**WHO, "right": "nobody"})  # type: ignore[typeddict-item]


def _texts(widget: Any) -> str:
    """All that the front end is sent for a widget and what it holds."""
    inner = "".join(_texts(child) for child in getattr(widget, "children", ()))
    return str(widget.get_state()) + inner


def test_what_stands_between_backticks_is_shown_as_code() -> None:
    ask, reply = "Who awaits `gather(<a>)`?", "Nobody awaits `a`."
    card = _ask._question_card({"ask": ask, "options": {"a": reply, "b": "."}, "right": "a"})
    assert "Who awaits <code>gather(&lt;a&gt;)</code>?" in card.children[1].value
    card.children[2].value = "a"
    assert "Nobody awaits <code>a</code>." in card.children[3].value


def test_a_choice_brings_its_own_reply_and_nothing_else_leaves_the_kernel() -> None:
    card = _ask._question_card({**WHO, "right": "a thread"})  # type: ignore[typeddict-item]
    choice, reply = card.children[2:]
    assert "Yes." not in _texts(card)
    choice.value = "the loop"
    assert "No: it turns." in reply.value
    assert "ub-wrong" in reply.value
    choice.value = "a thread"
    assert "Yes." in reply.value
    assert "ub-right" in reply.value


@pytest.mark.parametrize(("guess", "told"), [(25, True), (27, True), (250, False), (60, False)])
def test_a_likely_wrong_way_to_a_prediction_is_told(
    predict: Predict, capsys: pytest.CaptureFixture[str], guess: float, told: bool
) -> None:
    predict.enter("threads", guess)
    predict.score("threads", 250, because={25: "You may have counted the callers only."})
    assert ("You may have counted the callers only." in capsys.readouterr().out) is told
