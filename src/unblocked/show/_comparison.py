"""What a comparison measured: rows of numbers, a table, a picture, and the same in plain text."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython
from IPython.display import display

from unblocked.show import _picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unblocked.show._frontend import Bundle

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


@dataclass(frozen=True, slots=True)
class Curve:
    """What was seen of one variant while it ran."""

    variant: str
    seconds: Sequence[float]
    threads: Sequence[float | None]
    """Threads added since the variant was started."""
    in_flight: Sequence[float | None]
    """Upstream calls in flight, or the app's requests when no upstream was given."""


@dataclass
class Comparison:
    """Variants under the same load.

    `rows` has a dict per variant with the keys of `COLUMNS`: counts, MB, answers per second and
    milliseconds; a latency is None when nothing was answered. `notes` says what to mind.
    """

    title: str
    rows: list[Numbers]
    notes: list[str] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list, repr=False)
    counted: str = "requests in flight"
    _shown_at: int | None = field(default=None, repr=False)

    def __getitem__(self, variant: str) -> Numbers:
        """The numbers of one variant.

        Raises:
            KeyError: it was not measured.
        """
        for row in self.rows:
            if row["variant"] == variant:
                return row
        raise KeyError(variant)

    def __str__(self) -> str:
        table = text_table([name for name, _ in COLUMNS], [_cells(row) for row in self.rows])
        return "\n".join([self.title, table, *self.notes])

    def png(self) -> bytes:
        """The picture, as a PNG file."""
        return _picture.comparison(self)

    def alt(self) -> str:
        """The numbers in one sentence per variant, for whoever does not see the picture."""
        return f"{self.title}. " + " ".join(_sentence(row) for row in self.rows)

    def bundle(self) -> Bundle:
        """Display data: the picture, and a page with picture and table that needs no trust."""
        if not self.rows:
            return {"text/plain": f"{self.title}\nNothing was measured."}
        picture = base64.b64encode(self.png()).decode("ascii")
        return {"text/plain": str(self), "image/png": picture, "text/html": _page(self, picture)}

    def mark_shown(self) -> None:
        """Remember that the running cell shows this already."""
        self._shown_at = _cell_number()

    def _ipython_display_(self) -> None:
        if self._shown_at is None or self._shown_at != _cell_number():
            display(self.bundle(), raw=True)  # type: ignore[no-untyped-call]


def _cell_number() -> int | None:
    shell = get_ipython()
    return None if shell is None else int(shell.execution_count)


def _sentence(row: Numbers) -> str:
    return (
        f"{row['variant']}: {row['threads_added']} threads added, "
        f"{number(row['answers_per_second'])} answers a second, "
        f"p50 {number(row['p50_ms'])} ms, p99 {number(row['p99_ms'])} ms, "
        f"{number(row['memory_added_mb'])} MB added, {row['errors']} errors."
    )


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


def _page(comparison: Comparison, picture: str) -> str:
    image = (
        f'<img alt="{escape(comparison.alt())}" src="data:image/png;base64,{picture}" '
        f'style="max-width:100%">'
    )
    notes = "".join(f"<p>{escape(note)}</p>" for note in comparison.notes)
    return f"<figure style='margin:0'>{image}</figure>{html_table(comparison)}{notes}"


def html_table(comparison: Comparison) -> str:
    """The numbers as an HTML table with a caption and row headings."""
    head = "".join(f'<th scope="col">{name}</th>' for name, _ in COLUMNS)
    body = "".join(_html_row(_cells(row)) for row in comparison.rows)
    return (
        f"<table><caption>{escape(comparison.title)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _html_row(cells: Sequence[str]) -> str:
    first, *others = (escape(cell) for cell in cells)
    return f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{x}</td>" for x in others) + "</tr>"
