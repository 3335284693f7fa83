"""Cells and notebooks that come out the same, byte for byte, from the same text."""

from __future__ import annotations

import ast
import hashlib
import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Any

import nbformat

if TYPE_CHECKING:
    from collections.abc import Iterable

Cell = Any  # nbformat's NotebookNode: a dict with attributes, without types of its own
Notebook = Any

_ID_LIMIT = 64
_HEADING = re.compile(r"^#{1,6}\s+(.+)$", re.MULTILINE)
_FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.MULTILINE | re.DOTALL)


def read_myst(text: str) -> list[Cell]:
    """Return the cells of a MyST Markdown text without front matter; their ids
    are not final yet.
    """
    if not text.strip():
        return []
    import jupytext  # type: ignore[import-untyped]  # an author's tool, which learners lack

    cells: list[Cell] = jupytext.reads(text.strip() + "\n", fmt="md:myst").cells
    # The source of a quiz gives its answers away, so it is folded in every notebook.
    for cell in cells:
        if cell.cell_type == "code" and "quiz" in map(name_of_call, calls(cell.source)):
            _fold(cell)
    return cells


def calls(source: str) -> list[ast.Call]:
    """Return the calls of plain names in a cell's code; none in code that Python cannot parse."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:  # a magic, or a fault that the lesson shows
        return []
    found = [node for node in nodes if isinstance(node, ast.Call)]
    return [call for call in found if isinstance(call.func, ast.Name)]


def name_of_call(call: ast.Call) -> str:
    """Return the name that is called, or ''."""
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _fold(cell: Cell) -> None:
    """Hide the source. JupyterLab shows three dots in its place, and unfolds it on a click."""
    cell.metadata["jupyter"] = {**cell.metadata.get("jupyter", {}), "source_hidden": True}


def markdown(source: str, cell_id: str) -> Cell:
    return nbformat.v4.new_markdown_cell(source, id=cell_id)  # type: ignore[no-untyped-call]


def code(source: str, cell_id: str) -> Cell:
    return nbformat.v4.new_code_cell(source, id=cell_id)  # type: ignore[no-untyped-call]


def name_cells(cells: Iterable[Cell], prefix: str, section: str = "start") -> None:
    """Give each cell an id made of the prefix, the heading above it, its kind and its number.

    Numbers start again at every heading, so that a new cell moves few ids.
    """
    seen: Counter[str] = Counter()
    for cell in cells:
        headings = _headings(cell)
        kind = "code" if cell.cell_type == "code" else "text"
        stem = f"{prefix}-{headings[0] if headings else section}-{kind}"
        section = headings[-1] if headings else section
        seen[stem] += 1
        cell["id"] = _short(f"{stem}-{seen[stem]}")


def put_before(cells: list[Cell], text: str, cell_id: str) -> None:
    """Put `text` at the top, in the cell that is there when it is one to read."""
    if cells and cells[0].cell_type == "markdown":
        cells[0].source = f"{text}\n\n{cells[0].source}"
    else:
        cells.insert(0, markdown(text, cell_id))


def put_after(cells: list[Cell], text: str, cell_id: str) -> None:
    """Put `text` at the end, in the cell that is there when it is one to read."""
    if cells and cells[-1].cell_type == "markdown":
        cells[-1].source = f"{cells[-1].source}\n\n{text}"
    else:
        cells.append(markdown(text, cell_id))


def _headings(cell: Cell) -> list[str]:
    if cell.cell_type != "markdown":
        return []
    found = _HEADING.findall(without_fences(cell.source))
    return [slugify(heading)[:30].strip("-") or "heading" for heading in found]


def without_fences(text: str) -> str:
    """Return the text without its fenced code blocks."""
    return _FENCE.sub("", text)


def slugify(text: str) -> str:
    """Return the text in lower-case letters, digits and hyphens only."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def notebook(cells: list[Cell], source: str) -> Notebook:
    """Return a notebook for the python3 kernel; `source` is the path that it was built from."""
    made = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    made.nbformat_minor = 5
    made.metadata = {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
        "unblocked": {"source": source},
    }
    return made


def to_bytes(made: Notebook) -> bytes:
    """Return a checked notebook without outputs, in the form in which JupyterLab
    itself saves it.
    """
    for cell in made.cells:
        cell["id"] = _short(cell["id"])
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None
    nbformat.validate(made)
    text: str = nbformat.writes(made, version=nbformat.NO_CONVERT)  # type: ignore[no-untyped-call]
    return (text.rstrip("\n") + "\n").encode()


def _short(cell_id: str) -> str:
    if len(cell_id) <= _ID_LIMIT:
        return cell_id
    digest = hashlib.sha256(cell_id.encode()).hexdigest()[:8]
    return f"{cell_id[: _ID_LIMIT - 9]}-{digest}"
