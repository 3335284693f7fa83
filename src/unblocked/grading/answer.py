"""Find an answer in what a learner hands in: a notebook, a script made of one, or plain Python.

No code is read as Python here, only its first lines are looked at: parsing what learners write is
for a process that is limited (`sandbox/child/cells.py`).
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unblocked._marker import marked as marked

LARGEST = 8 << 20
"""Bytes of the largest file that is read as a submission."""

_BORDER = re.compile(r"^# (?:In\[[ \d]*\]:|%%(?!%).*)$", re.MULTILINE)
"""Where cells begin in a script that nbconvert or jupytext made of a notebook."""
_COMMENT = re.compile(r"#.*$", re.MULTILINE)


class NoAnswer(Exception):
    """The submission holds no answer to this exercise; the text says what to do."""


class Unusable(Exception):
    """The file cannot be used at all: not there, too large, no notebook."""


@dataclass(frozen=True)
class AnswerCode:
    """The code of one answer: its cells, mostly one, in the order in which they stand."""

    cells: tuple[str, ...]


def existing(name: str) -> Path:
    """Return the path of an existing file.

    Raises:
        Unusable: there is none.
    """
    path = Path(name)
    if not path.is_file():
        raise Unusable(f"There is no file {path}.")
    return path


def read(path: Path, slug: str) -> AnswerCode:
    """Return the answer to `slug` in this file.

    Raises:
        Unusable: there is no such file, or it is neither a notebook nor Python.
        NoAnswer: the notebook has no answer cell, or it is empty.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}.") from None
    return from_bytes(data, path.name, slug)


def from_bytes(data: bytes, name: str, slug: str) -> AnswerCode:
    """Return the answer to `slug` in the content of a file of this name; raises as `read` does."""
    text = text_of(data, name)
    if name.lower().endswith(".ipynb"):
        return _from_cells(code_cells(text, name), slug)
    if name.lower().endswith(".py"):
        return _from_script(text, slug)
    raise Unusable(f"{name} is neither a notebook (.ipynb) nor Python (.py).")


def text_of(data: bytes, name: str) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with a byte order mark.

    Raises:
        Unusable: it is too large, or no such text.
    """
    if len(data) > LARGEST:
        raise Unusable(f"{name} is larger than {LARGEST >> 20} MiB: clear its outputs.")
    # PowerShell 5 writes UTF-16 when a script is redirected into a file.
    utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable(_how_to_save(name)) from None


def _how_to_save(name: str) -> str:
    if name.lower().endswith(".ipynb"):
        return f"{name} is not text: save the notebook again in Jupyter."
    return f"{name} is not UTF-8 text: save it once more with the encoding UTF-8."


def code_cells(text: str, name: str) -> list[dict[str, Any]]:
    """Return a notebook's code cells; raises `Unusable` when the text is no notebook."""
    try:
        cells = json.loads(text)["cells"]
        return [cell for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unusable(
            f"{name} is no notebook, or is cut off: open it in Jupyter and save it again."
        ) from None


def script_cells(text: str) -> list[str]:
    """Return the cells of a script that was made of a notebook; any other script is one cell."""
    return _BORDER.split(text)


def _from_script(text: str, slug: str) -> AnswerCode:
    """Return the marked cells of a script that was made of a notebook; any other script is the
    answer as a whole.
    """
    pieces = script_cells(text)
    found = [piece for piece in pieces if marked(piece) == slug and _has_code(piece)]
    return _answer_code(found if len(pieces) > 1 and found else [text], slug)


def _from_cells(cells: list[dict[str, Any]], slug: str) -> AnswerCode:
    found = [c for c in cells if grade_id(c) == slug] or [
        c for c in cells if marked(source_of(c)) == slug
    ]
    if not found:
        raise NoAnswer(
            f"No cell is the answer to {slug}. Its first line must be # exercise: {slug}"
        )
    return _answer_code([source_of(cell) for cell in found], slug)


def _answer_code(cells: list[str], slug: str) -> AnswerCode:
    if not any(map(_has_code, cells)):
        raise NoAnswer(f"The answer to {slug} is empty.")
    return AnswerCode(tuple(cells))


def _has_code(source: str) -> bool:
    return bool(_COMMENT.sub("", source).strip())


def grade_id(cell: dict[str, Any]) -> str:
    """Return the cell's `nbgrader.grade_id`, or ''."""
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return str(nbgrader.get("grade_id", "")) if isinstance(nbgrader, dict) else ""


def source_of(cell: dict[str, Any]) -> str:
    """Return the cell's code."""
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)
