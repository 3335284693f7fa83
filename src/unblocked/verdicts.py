"""Puts a mark into words, the same in a terminal and in a notebook. Imports nothing of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Check = dict[str, Any]
"""One criterion of a result: `name`, `passed`, `points`, `max_points`, `message`."""
Result = dict[str, Any]
"""What `unblocked check --json` prints."""

_OUTCOMES = {
    "no-answer": "There is no answer to mark yet.",
    "crashed": "The answer ended before it could be marked to the end.",
    "timeout": "The answer was stopped: its time was over.",
    "out-of-memory": "The answer was stopped: it took more memory than it may.",
}


def line(check: Check) -> str:
    """Return a criterion as text: one line, and below it the lines of its message."""
    word = "passed" if check["passed"] else "FAILED"
    head = f"{word}  {check['points']:g}/{check['max_points']:g}  {check['name']}"
    message = str(check["message"] or "")
    return "\n".join([head, *(f"{'':14}{part}" for part in message.splitlines())])


def is_full(result: Result) -> bool:
    """Return whether all points were reached."""
    return bool(result.get("max_points")) and result["points"] >= result["max_points"]


def total(result: Result) -> str:
    """Return the points, and in a sentence why marking ended early if it did."""
    points = f"{result['points']:g} of {result['max_points']:g} points"
    if is_full(result):
        return f"{points}: everything passed."
    reason = _OUTCOMES.get(str(result.get("outcome")))
    return f"{points}. {reason}" if reason else f"{points}."


def once_more(criteria: int) -> str:
    """Return the sentence that announces a second judging of so many criteria."""
    what = "1 criterion is" if criteria == 1 else f"{criteria} criteria are"
    return f"{what} judged once more, alone: this machine is busy, or something took very long."


class Reporter:
    """Hears how a marking goes on. This one says nothing."""

    def begin(self, criteria: Sequence[str], max_points: int) -> None:
        """Hear that the marking begins, by criteria of these names."""

    def update(self, check: Check) -> None:
        """Hear that a criterion is decided, perhaps for a second time."""

    def again(self, criteria: int) -> None:
        """Hear that so many criteria are about to be judged a second time."""


class Printed(Reporter):
    """Prints a criterion when it is decided, and a second time only if it came out differently."""

    def __init__(self) -> None:
        self._told: dict[str, bool] = {}

    def update(self, check: Check) -> None:
        if self._told.get(check["name"]) is not check["passed"]:
            print(line(check), flush=True)
        self._told[check["name"]] = check["passed"]

    def again(self, criteria: int) -> None:
        print(once_more(criteria), flush=True)
