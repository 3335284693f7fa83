"""The numbers of a comparison as a table, in text and in HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Numbers = dict[str, Any]

COLUMNS = (
    ("variant", "variant"),
    ("threads before", "threads_before"),
    ("threads at peak", "threads_peak"),
    ("threads added", "threads_added"),
    ("memory added, MB", "memory_added_mb"),
    ("sockets at peak", "sockets_peak"),
    ("answers a second", "answers_per_second"),
    ("p50, ms", "p50_ms"),
    ("p99, ms", "p99_ms"),
    ("errors", "errors"),
)
"""Headings of the table and the keys of `Comparison.rows` they stand for."""


def as_text(rows: Sequence[Numbers]) -> str:
    """The numbers as a table for a terminal."""
    return text_table([name for name, _ in COLUMNS], [_cells(row) for row in rows])


def _cells(row: Numbers) -> list[str]:
    return [number(row[key]) for _, key in COLUMNS]


def number(value: object) -> str:
    """A measured value as people write it: 1,006, 77.3, 0.4; a dash for None."""
    if value is None:
        return "-"
    if not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}"


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for a terminal: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])

    rule = "  ".join("-" * width for width in widths)
    return "\n".join(text.rstrip() for text in [line(head), rule, *map(line, rows)])


def html_table(title: str, rows: Sequence[Numbers]) -> str:
    """The numbers as an HTML table with a caption and row headings."""
    head = "".join(f'<th scope="col">{name}</th>' for name, _ in COLUMNS)
    body = "".join(_html_row(_cells(row)) for row in rows)
    return (
        f"<table><caption>{escape(title)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _html_row(cells: Sequence[str]) -> str:
    first, *others = (escape(cell) for cell in cells)
    return f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{x}</td>" for x in others) + "</tr>"
