"""What several gates ask of a text: its words, and whether its code can be compiled."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from unblocked.authoring.notebooks import calls, name_of_call, without_fences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unblocked.authoring.notebooks import Cell

_WORD = re.compile(r"[^\W_][\w'\u2019-]*")
_TAG = re.compile(r"<[^>]+>")


def words(text: str) -> list[str]:
    """Return the words of a text's prose, without code blocks and tags."""
    return _WORD.findall(_TAG.sub(" ", without_fences(text)))


def syntax_problem(source: str) -> str | None:
    """Return what Python says of a cell that it cannot compile; None when it can."""
    try:
        compile(source, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    return None


def is_code(cell: Cell) -> bool:
    """Return whether a cell holds code."""
    return bool(cell.cell_type == "code")


def is_folded(cell: Cell) -> bool:
    """Return whether JupyterLab hides the cell's source."""
    return bool(cell.metadata.get("jupyter", {}).get("source_hidden"))


def lines_of_code(source: str) -> int:
    """Return how many lines are neither blank nor only a comment."""
    stripped = (line.strip() for line in source.splitlines())
    return sum(bool(line) and not line.startswith("#") for line in stripped)


def called(source: str) -> Iterator[tuple[str, int]]:
    """Yield names that are called in a cell, each with its number of positional arguments."""
    for call in calls(source):
        yield name_of_call(call), len(call.args)
