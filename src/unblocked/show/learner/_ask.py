"""Questions to the learner: a number to predict before a run, and a quiz after it."""

from __future__ import annotations

import math
import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import ipywidgets as widgets

from unblocked._order import shuffled
from unblocked.show._frontend import Slot, folded, has_front_end

if TYPE_CHECKING:
    from collections.abc import Mapping

_CSS = Path(__file__).with_name("quiz.css")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")

_CODE = re.compile(r"`([^`]+)`")
_WITH_UNIT = re.compile(r"(.*[\d.,]\s*)([^\W\d_][^\d]*|%)")
_SECONDS = {"s": 1.0, "ms": 0.001, "min": 60.0}


class Question(TypedDict):
    """One question of a quiz: what is asked, options with a reply to each, and the right one."""

    ask: str
    options: dict[str, str]
    right: str


class Predict:
    """`predict(...)` asks for a number, `predict.score(...)` says how close it was."""

    def __init__(self) -> None:
        self._asked: dict[str, str] = {}
        self._entered: dict[str, float] = {}

    def __call__(self, ask: str, *, key: str, unit: str = "") -> None:
        """Ask the learner for a number; without a front end the question is only printed.

        Asking again with the same `key` keeps the number that was entered before.
        """
        self._asked[key] = ask
        if has_front_end():
            Slot().put_widget(_prediction_box(self, ask, key, unit), f"Your prediction: {ask}")
        else:
            print(f"Your prediction: {ask}")

    def enter(self, key: str, value: float) -> None:
        """Record a prediction, as typing it into the field does.

        Raises:
            ValueError: it is no number, or not a finite one.
        """
        if not math.isfinite(value := float(value)):
            raise ValueError(f"a prediction must be a number, not {value}")
        self._entered[key] = value

    def forget(self, key: str) -> None:
        """Drop a prediction, as emptying the field does."""
        self._entered.pop(key, None)

    def value(self, key: str) -> float | None:
        """Return what was entered for `key`, or None."""
        return self._entered.get(key)

    def score(self, key: str, actual: float, *, because: Mapping[float, str] | None = None) -> None:
        """Print how close the prediction called `key` came to `actual`.

        An `actual` that is not finite, as a latency without answers, was not measured.

        Args:
            because: likely wrong predictions, each with a sentence on how one comes to it. It is
                printed below the score of a prediction within a tenth of that number.
        """
        guess = self.value(key)
        print(folded(_verdict(guess, float(actual))))
        if guess is not None and not _close(guess, actual):
            for number, sentence in (because or {}).items():
                if _close(guess, number):
                    print(folded(sentence))


def _verdict(guess: float | None, actual: float) -> str:
    there = math.isfinite(actual)
    measured = f"measured: {_number(actual)}" if there else "nothing was measured"
    if guess is None:
        return f"No prediction was entered; {measured}."
    said = f"You predicted {_number(guess)}; {measured}."
    if not there:
        return said
    if guess == actual:
        return f"{said} Exactly right."
    if guess <= 0 or actual <= 0:
        return f"{said} Off by {_number(abs(guess - actual))}."
    if _close(guess, actual):
        return f"{said} Within a tenth: well predicted."
    factor = max(guess, actual) / min(guess, actual)
    side = "low" if guess < actual else "high"
    return f"{said} Too {side} by a factor of {factor:.1f}."


def _close(guess: float, actual: float) -> bool:
    """Return whether the two differ by no more than a tenth."""
    if guess <= 0 or actual <= 0:
        return guess == actual
    return max(guess, actual) / min(guess, actual) <= 1.1


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:,.3g}"


def _noted(value: float) -> str:
    """Return a prediction as it was understood, for the learner to see."""
    return f"{value:,.10g}"


def _prediction_box(predict: Predict, ask: str, key: str, unit: str) -> widgets.VBox:
    known = predict.value(key)
    field = widgets.Text(
        value="" if known is None else _noted(known),
        placeholder="a number",
        description="Predict",
        layout=widgets.Layout(width="14em"),
        style={"description_width": "4em"},
    )
    field.tooltip = ask
    note = widgets.HTML(_note("" if known is None else f"noted: {_noted(known)}"))

    def typed(change: dict[str, Any]) -> None:
        note.value = _note(_take(predict, key, change["new"], unit))

    field.observe(typed, names="value")
    row = widgets.HBox([field, widgets.HTML(escape(unit)), note])
    return widgets.VBox([_style(), _question(ask), row], layout=_card())


def _take(predict: Predict, key: str, text: str, unit: str = "") -> str:
    if not text.strip():
        predict.forget(key)
        return ""
    try:
        value = _read(text, unit)
        predict.enter(key, value)
    except ValueError:
        predict.forget(key)
        return "that is not a number yet"
    said = _noted(value)
    return f"noted: {said} {unit}" if unit in _SECONDS and _unit_in(text) else f"noted: {said}"


def _unit_in(text: str) -> str:
    found = _WITH_UNIT.fullmatch(text.strip())
    return found[2].lower() if found else ""


def _read(text: str, unit: str = "") -> float:
    """Return the number in `text`, in `unit`; raises `ValueError` where there is none.

    A comma is a decimal point, as half of the world writes it, unless it parts thousands. The unit
    may stand behind the number; of times another one may, and is converted.
    """
    given = _unit_in(text)
    factor = 1.0
    if given:
        text = text.strip()[: -len(given)]
        if unit in _SECONDS and given in _SECONDS:
            factor = _SECONDS[given] / _SECONDS[unit]
        elif given != unit.lower():
            raise ValueError(f"{given} is not {unit}")
    bare = "".join(text.split())
    value = float(bare.replace(",", "" if _THOUSANDS.fullmatch(bare) else ".")) * factor
    return float(f"{value:.12g}")  # 400 ms are 0.4 s, and not a little more


def quiz(*questions: Question) -> None:
    """Show questions with one right answer each; every choice gets its own reply.

    The options of a question are shuffled, the same way for everybody.
    Replies and right answers stay in the kernel, so a saved notebook does not give them away.
    Without a front end the questions and their options are printed.

    Raises:
        ValueError: a question's right answer is not among its options.
    """
    for question in questions:
        if question["right"] not in question["options"]:
            raise ValueError(f"{question['right']!r} is not an option of {question['ask']!r}")
    text = "\n\n".join(_as_text(question) for question in questions)
    if has_front_end():
        cards = [_question_card(question) for question in questions]
        Slot().put_widget(widgets.VBox(cards), text)
    else:
        print(text)


def _as_text(question: Question) -> str:
    letters = "abcdefghij"
    options = zip(letters, shuffled(question["ask"], question["options"]), strict=False)
    return "\n".join([question["ask"], *(f"  {letter}) {text}" for letter, text in options)])


def _question_card(question: Question) -> widgets.VBox:
    choice = widgets.RadioButtons(
        options=shuffled(question["ask"], question["options"]),
        value=None,
        layout=widgets.Layout(width="auto"),
    )
    choice.add_class("ub-options")
    reply = widgets.HTML()

    def chosen(change: dict[str, Any]) -> None:
        reply.value = _reply(question, change["new"])

    choice.observe(chosen, names="value")
    return widgets.VBox([_style(), _question(question["ask"]), choice, reply], layout=_card())


def _reply(question: Question, chosen: str) -> str:
    right = chosen == question["right"]
    sign, word = ("✓", "Right.") if right else ("✗", "Not quite.")
    kind = "ub-right" if right else "ub-wrong"
    text = _with_code(question["options"][chosen])
    return f'<div class="ub-reply {kind}" role="status">{sign} <b>{word}</b> {text}</div>'


def _question(text: str) -> widgets.HTML:
    return widgets.HTML(f'<div class="ub-question">{_with_code(text)}</div>')


def _with_code(text: str) -> str:
    """Return HTML in which what stands between backticks is code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _note(text: str) -> str:
    return f'<span class="ub-note" role="status">{escape(text)}</span>'


def _card() -> widgets.Layout:
    return widgets.Layout(padding="8px 14px", margin="4px 0", border="1px solid #8886")


def _style() -> widgets.HTML:
    return widgets.HTML(f"<style>{_CSS.read_text(encoding='utf-8')}</style>")


predict = Predict()
