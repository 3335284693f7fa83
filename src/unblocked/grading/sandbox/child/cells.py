"""Puts an answer's cells together, and leaves out what is for the shell or for IPython.

This reads learners' text as Python, which can take all the time and memory there is. So it runs in
the answer's own process, which is limited, and never in the marker's.
"""

from __future__ import annotations

import ast
import fnmatch
import re
import symtable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_CELL_MAGIC = re.compile(r"\A((?:[ \t]*(?:#[^\n]*)?\n)*)[ \t]*%%[^\n]*")
_FOR_IPYTHON = re.compile(r"^[ \t]*(?:[\w.,\[\] ]+=[ \t]*)?[!%?]|\?[ \t]*$", re.MULTILINE)
MOST_NAMED = 5
"""Lines left out that are named to the learner."""


class Put(NamedTuple):
    """The code of an answer, and what was odd about its cells."""

    source: str
    note: str


def put_together(cells: list[str], needed: str) -> Put:
    """Return one cell as the answer; of several, the last one if it can stand alone, else all of
    them.

    JupyterLab gives the tail of a cell that is split the old id, and the head a copy of the
    metadata. A tail reads names that only the head binds, or lacks the name that is `needed`.
    """
    *earlier, last = cells
    if not earlier:
        return Put(last, "")
    if _binds(last, needed) and not _continues(last, earlier):
        return Put(last, f"{len(cells)} cells are marked as the answer; the last one counts.")
    # The last cell alone is no answer: it is the tail of one that was split.
    whole = "\n".join(cells)
    return Put(whole, f"The answer was split into {len(cells)} cells; all were run, in order.")


def as_python(source: str, left_out: Callable[[str], None]) -> tuple[str, dict[str, Any]]:
    """Return code that Python compiles, and the names that it needs; what IPython accepts is
    accepted.

    Lines for the shell and magics do nothing but say so to `left_out`. What follows `%%magic` is
    taken as Python. Lines keep their numbers.
    """
    cell = _CELL_MAGIC.search(source)
    if cell:
        left_out(cell[0][len(cell[1]) :].strip())
        source = f"{cell[1]}#{source[cell.end() :]}"
    if not _FOR_IPYTHON.search(source):
        return source, {}
    from IPython.core.inputtransformer2 import TransformerManager

    changed = TransformerManager().transform_cell(source)  # type: ignore[no-untyped-call]
    return changed, {"get_ipython": lambda: _NoShell(left_out)}


class _NoShell:
    """Stands for IPython's shell where there is none."""

    def __init__(self, left_out: Callable[[str], None]) -> None:
        self._left_out = left_out

    def system(self, command: str) -> None:
        self._left_out(f"!{command}")

    def getoutput(self, command: str) -> list[str]:
        self._left_out(f"!{command}")
        return []

    def run_line_magic(self, name: str, line: str, *_: object) -> None:
        self._left_out(f"%{name} {line}".strip())

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        self._left_out(f"%%{name} {line}".strip())

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


def note_of(lines: list[str]) -> str:
    """Return a sentence about what was left out, or ''."""
    named = ", ".join(f"`{line[:60]}`" for line in lines[:MOST_NAMED])
    return f"Left out, as it is for the shell or for IPython: {named}." if lines else ""


def _binds(source: str, name: str) -> bool:
    """Return whether the code binds this name at its top level; False for code that does not parse.

    `test_*` stands for any name that begins so.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(fnmatch.filter(_bound(statement), name) for statement in tree.body)


def _bound(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    names = (n for n in ast.walk(statement) if isinstance(n, ast.Name))
    return {n.id for n in names if isinstance(n.ctx, ast.Store)}


def _continues(last: str, earlier: list[str]) -> bool:
    """Return whether the code reads a name that only the code before it binds.

    So does the tail of a cell that was split after its imports. A copy has imports of its own.
    """
    unbound = _names(last).read - _names(last).bound
    return any(unbound & _names(source).bound for source in earlier)


class _Names(NamedTuple):
    """Names of a module's globals: those that its code reads, anywhere, and those that it binds."""

    read: set[str]
    bound: set[str]


def _names(source: str) -> _Names:
    """Return the global names that the code reads and binds; none for code that does not parse."""
    names = _Names(set(), set())
    try:
        tables = [symtable.symtable(source, "answer.py", "exec")]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return names

    for table in tables:  # grows while it is read
        tables += table.get_children()
        for symbol in table.get_symbols():
            if table.get_type() == "module" or symbol.is_global():
                if symbol.is_referenced():
                    names.read.add(symbol.get_name())
                if symbol.is_assigned() or symbol.is_imported():
                    names.bound.add(symbol.get_name())

    return names
