"""Tells by syntax trees whether an answer was attempted at all, and which answers are alike.

Learners' text is parsed here in the grader's own process, so only as much of it as a parser reads
in a moment: a file of some hundred kilobytes can keep Python's parser for many seconds.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unblocked.course import Room

LONGEST = 20_000
"""Characters that are parsed: an answer has a tenth of them."""
NOT_ATTEMPTED = "Not attempted: this is the starter as it was handed out."
"""The reason for the 0 points of an untouched starter; tables and summaries know it by that."""

_TOO_HARD = (SyntaxError, ValueError, RecursionError, MemoryError)


def is_untouched(cells: Sequence[str], room: Room) -> bool:
    """Return whether an answer is the exercise's starter, apart from comments and layout.

    An exercise of an instructor's own may have no starter: then every answer is an attempt.
    """
    try:
        starter = room.starter.read_text("utf-8", errors="replace")
    except OSError:
        return False

    source = "\n".join(cells)
    mine, given = _without_layout(source), _without_layout(starter)
    if mine == given:
        return True
    if len(mine) > len(given) + LONGEST // 10:  # nothing that long is a starter in another layout
        return False
    first, second = tree(source), tree(starter)
    return first is not None and first == second


def tree(source: str) -> str | None:
    """Return the syntax tree as text; None for code that does not parse or is too long to try."""
    parsed = _parse(source)
    try:
        return None if parsed is None else ast.dump(parsed)
    except _TOO_HARD:
        return None


def fingerprint(cells: Sequence[str]) -> str:
    """Return a digest that is the same for answers that differ only in their own names, comments,
    docstrings and layout.

    '' of what does not parse. Names that come from elsewhere (modules, attributes, given names)
    are kept, as are all constants.
    """
    parsed = _parse("\n".join(cells))
    if parsed is None:
        return ""
    try:
        dumped = ast.dump(_Anonymous(parsed).visit(parsed))
    except _TOO_HARD:
        return ""
    return hashlib.sha256(dumped.encode(errors="surrogatepass")).hexdigest()[:16]


def _parse(source: str) -> ast.Module | None:
    if len(source) > LONGEST:
        return None
    try:
        return ast.parse(source)
    except _TOO_HARD:
        return None


def _without_layout(source: str) -> str:
    """Return the text without whole-line comments, blank lines and space at the ends of lines."""
    lines = (line.rstrip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not re.match(r"\s*#", line))


class _Anonymous(ast.NodeTransformer):
    """Numbers the names that an answer binds itself, in the order in which they come."""

    def __init__(self, module: ast.Module) -> None:
        self._own = _bound_in(module)
        self._numbers: dict[str, str] = {}

    def _rename(self, name: str) -> str:
        if name not in self._own or name == "app":
            return name
        return self._numbers.setdefault(name, f"_{len(self._numbers)}")

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._rename(node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self._rename(node.arg)
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._rename_definition(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._rename_definition(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._rename_definition(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.name = node.name and self._rename(node.name)
        return self.generic_visit(node)

    def _rename_definition(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    ) -> ast.AST:
        node.name = self._rename(node.name)
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)


def _bound_in(module: ast.Module) -> set[str]:
    """Return the names that the code assigns, defines or takes as arguments, without those it
    imports.
    """
    names = {name for node in ast.walk(module) if (name := _binds(node))}
    return names - set(dir(builtins))


def _binds(node: ast.AST) -> str:
    """Return the name that this node binds, or ''."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.ExceptHandler(name=str(name)):
            return name
        case _:
            return ""
