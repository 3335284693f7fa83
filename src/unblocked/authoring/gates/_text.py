"""What several gates ask of a text: its words, and whether its code can be compiled."""

from __future__ import annotations

import ast
import re

from unblocked.authoring.notebooks import without_fences

_WORD = re.compile(r"[^\W_][\w'\u2019-]*")
_TAG = re.compile(r"<[^>]+>")


def words(text: str) -> list[str]:
    """Words of prose: no code blocks, no tags."""
    return _WORD.findall(_TAG.sub(" ", without_fences(text)))


def syntax_problem(source: str) -> str | None:
    """What Python says of a cell that it cannot compile; None when it can."""
    try:
        compile(source, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    return None
