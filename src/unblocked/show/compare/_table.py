"""The numbers of a comparison as a table, in text and in HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Numbers = dict[str, Any]

COLUMNS = (
    ("variant", "variant"),
    ("threads added", "threads_added"),
    ("memory added, MB", "memory_added_mb"),
    ("sockets at peak", "sockets_peak"),
    ("answers a second", "answers_per_second"),
    ("lowest to highest", "answers_lowest answers_highest"),
    ("p50, ms", "p50_ms"),
    ("p99, ms", "p99_ms"),
    ("errors", "errors"),
)
"""Headings of the table and the keys of `Comparison.rows` they stand for."""
_ONLY_WHEN_THERE = ("lowest to highest", "errors")


def as_text(rows: Sequence[Numbers]) -> str:
    """Return the numbers as a table for a terminal."""
    head, *body = _lines(rows)
    return text_table(head, body)


def html_table(title: str, rows: Sequence[Numbers]) -> str:
    """Return the numbers as an HTML table with a caption and row headings."""
    head, *body = _lines(rows)
    cells = "".join(f'<th scope="col">{name}</th>' for name in head)
    return (
        f"<table><caption>{escape(title)}</caption>"
        f"<thead><tr>{cells}</tr></thead><tbody>{''.join(map(_html_row, body))}</tbody></table>"
    )


def number(value: object) -> str:
    """Return a measured value as people write it: 1,006, 77.3, 0.4; a dash for None."""
    if value is None:
        return "-"
    if not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}"


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table for a terminal: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])

    rule = "  ".join("-" * width for width in widths)
    return "\n".join(text.rstrip() for text in [line(head), rule, *map(line, rows)])


def _lines(rows: Sequence[Numbers]) -> list[list[str]]:
    """Return the headings, then the cells of each row; without columns that say nothing."""
    columns = [
        (name, keys.split())
        for name, keys in COLUMNS
        if name not in _ONLY_WHEN_THERE or any(_says(row, keys.split()) for row in rows)
    ]
    cells = [[" to ".join(number(row[key]) for key in keys) for _, keys in columns] for row in rows]
    return [[name for name, _ in columns], *cells]


def _says(row: Numbers, keys: list[str]) -> bool:
    """Return whether a column has something to say: errors, or rounds that differ."""
    return bool(row[keys[0]]) if len(keys) == 1 else row[keys[0]] != row[keys[1]]


def _html_row(cells: Sequence[str]) -> str:
    first, *others = (escape(cell) for cell in cells)
    return (
        f'<tr><th scope="row" style="text-align:left">{first}</th>'
        + "".join(f"<td>{x}</td>" for x in others)
        + "</tr>"
    )
