"""A quiz as a page without a kernel shows it: each option unfolds to its reply."""

from __future__ import annotations

import ast
import re
from html import escape
from typing import TYPE_CHECKING, Any

from unblocked._order import shuffled
from unblocked.authoring.notebooks._cells import calls, name_of_call

if TYPE_CHECKING:
    from unblocked.authoring.notebooks._cells import Cell

QUIZ_ON_A_PAGE = re.compile(r'<section class="quiz">.*?</section>', re.DOTALL)
"""A quiz in a page; it is not to be found by a search, which would give its answers away."""
INVITATION_TO_RUN = re.compile(r"Run the (?:folded )?cell to see the questions\.")


def questions(cell: Cell) -> list[dict[str, Any]]:
    """Return the questions that a cell asks by `quiz(…)`; none where they cannot be read without
    running it.
    """
    if cell.cell_type != "code":
        return []
    asked = [call for call in calls(cell.source) if name_of_call(call) == "quiz"]
    try:
        return [ast.literal_eval(argument) for call in asked for argument in call.args]
    except ValueError:  # names instead of words
        return []


def quiz_as_html(asked: list[dict[str, Any]]) -> str:
    """Return the questions as HTML without blank lines, which would end the block in Markdown."""
    return f'<section class="quiz">{"".join(map(_question, asked))}</section>'


def _question(question: dict[str, Any]) -> str:
    replies: dict[str, str] = question["options"]
    options = "".join(
        f"<details><summary>{_line(option)}</summary>"
        f"<p>{'✓ Right.' if option == question['right'] else '✗ Not quite.'} "
        f"{_line(replies[option])}</p></details>"
        for option in shuffled(question["ask"], replies)
    )
    return f"<p><b>{_line(question['ask'])}</b></p>{options}"


def _line(text: str) -> str:
    """Return the text in one line, escaped, so that neither Markdown nor formulas
    are read into it.
    """
    plain = escape(" ".join(text.split()))
    return re.sub(r"[*_`$\\\[\]~]", lambda found: f"&#{ord(found[0])};", plain)
