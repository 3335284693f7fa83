"""The text of an answer, to be shown beside others. Nothing of it is parsed."""

from __future__ import annotations

from unblocked.grading import answer


def shown_source(data: bytes, name: str, slug: str) -> str:
    """The code of the cells that answer this exercise, or the whole of a Python file."""
    text = data.decode("utf-8-sig", errors="replace")
    if not name.lower().endswith(".ipynb"):
        return text
    try:
        cells = answer.code_cells(text, name)
    except answer.Unusable:
        return ""
    named = [cell for cell in cells if answer.grade_id(cell) == slug] or [
        cell for cell in cells if answer.marked(answer.source_of(cell)) == slug
    ]
    return "\n\n".join(map(answer.source_of, named))
