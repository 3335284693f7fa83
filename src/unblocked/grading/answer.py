"""Find an answer in what a learner hands in: a notebook, or a plain Python file."""

from __future__ import annotations

import ast
import json
import re
import symtable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

LARGEST = 8 << 20
"""Bytes of the largest file that is read as a submission."""


class NoAnswer(Exception):
    """The submission holds no answer to this exercise; the text says what to do."""


class Unusable(Exception):
    """The file cannot be used at all: not there, too large, no notebook."""


@dataclass(frozen=True)
class Answer:
    """The code of one answer and what was odd about where it stood."""

    source: str
    note: str = ""


def existing(name: str) -> Path:
    """The file of this name.

    Raises:
        Unusable: there is none.
    """
    path = Path(name)
    if not path.is_file():
        raise Unusable(f"There is no file {path}.")
    return path


def read(path: Path, slug: str, needed: str = "app") -> Answer:
    """The answer to `slug` in this file. `needed` is the name that an answer must define.

    Raises:
        Unusable: there is no such file, or it is neither a notebook nor Python.
        NoAnswer: the notebook has no answer cell, or it is empty.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}.") from None
    return from_bytes(data, path.name, slug, needed)


def from_bytes(data: bytes, name: str, slug: str, needed: str = "app") -> Answer:
    """The answer to `slug` in the content of a file of this name; raises as `read` does."""
    if len(data) > LARGEST:
        raise Unusable(f"{name} is larger than {LARGEST >> 20} MiB: clear its outputs.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable(f"{name} is not text: save the notebook again in Jupyter.") from None
    if name.lower().endswith(".ipynb"):
        return _from_cells(code_cells(text, name), slug, needed)
    if name.lower().endswith(".py"):
        return _checked(text, slug)
    raise Unusable(f"{name} is neither a notebook (.ipynb) nor Python (.py).")


def code_cells(text: str, name: str) -> list[dict[str, Any]]:
    """A notebook's code cells; raises `Unusable` when the text is no notebook."""
    try:
        cells = json.loads(text)["cells"]
        return [cell for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unusable(
            f"{name} is no notebook, or is cut off: open it in Jupyter and save it again."
        ) from None


def _from_cells(cells: list[dict[str, Any]], slug: str, needed: str) -> Answer:
    found = [c for c in cells if grade_id(c) == slug] or [
        c for c in cells if marked(source_of(c)) == slug
    ]
    if not found:
        raise NoAnswer(
            f"No cell is the answer to {slug}. Its first line must be # exercise: {slug}"
        )
    last = source_of(found[-1])
    if len(found) == 1:
        return _checked(last, slug)
    earlier = [source_of(cell) for cell in found[:-1]]
    if defines(last, needed) and not _continues(last, earlier):
        return Answer(last, f"{len(found)} cells are marked as the answer; the last one counts.")
    whole = "\n".join([*earlier, last])
    return Answer(whole, f"The answer was split into {len(found)} cells; all were run, in order.")


def _checked(source: str, slug: str) -> Answer:
    if not re.sub(r"(?m)#.*$", "", source).strip():
        raise NoAnswer(f"The answer to {slug} is empty.")
    return Answer(source)


def grade_id(cell: dict[str, Any]) -> str:
    """The cell's `nbgrader.grade_id`, or ''."""
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return str(nbgrader.get("grade_id", "")) if isinstance(nbgrader, dict) else ""


def source_of(cell: dict[str, Any]) -> str:
    """The cell's code."""
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def marked(source: str) -> str:
    """The slug in the marker line `# exercise: SLUG` that the code begins with, or ''."""
    found = re.match(r"\s*#\s*exercise:\s*([\w-]+)", source)
    return found[1] if found else ""


def defines(source: str, name: str) -> bool:
    """Whether the code binds this name at its top level; code that does not parse binds nothing."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(name in _bound(statement) for statement in tree.body)


def _continues(last: str, earlier: list[str]) -> bool:
    """Whether the code reads a name that it never binds, and that code before it does.

    So does the tail of a cell that was split after its imports. A copy has imports of its own.
    """
    unbound = _names(last).read - _names(last).bound
    return any(unbound & _names(source).bound for source in earlier)


class _Names(NamedTuple):
    """Names of a module's globals: those that its code reads, anywhere, and those that it binds."""

    read: set[str]
    bound: set[str]


def _names(source: str) -> _Names:
    """Those of this code; code that does not parse has none."""
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


def _bound(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    names = (n for n in ast.walk(statement) if isinstance(n, ast.Name))
    return {n.id for n in names if isinstance(n.ctx, ast.Store)}
