"""What a comparison measured: rows of numbers, a table, a picture, and the same in plain text."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING

from IPython.core.getipython import get_ipython
from IPython.display import display

from unblocked.show.compare._picture import draw
from unblocked.show.compare._table import as_text, html_table, number
from unblocked.show.figure import shown

if TYPE_CHECKING:
    from unblocked.show._frontend import Bundle
    from unblocked.show.compare._picture import Curve
    from unblocked.show.compare._table import Numbers


@dataclass(repr=False)
class Comparison:
    """Variants under the same load.

    `rows` has a dict per variant: `threads_added`, `memory_added_mb` and `sockets_peak` are the
    largest of any round, `answers_per_second`, `p50_ms` and `p99_ms` the medians of the rounds,
    `answers_lowest` and `answers_highest` the slowest and the quickest round. A latency is None
    when nothing was answered. `notes` says what to mind.
    """

    title: str
    rows: list[Numbers]
    notes: list[str] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    counted: str = "requests in flight"
    beside: Comparison | None = None
    """An earlier result, which table and picture show above these variants."""
    _shown_at: int | None = None

    def __getitem__(self, variant: str) -> Numbers:
        """Return the numbers of one variant.

        Raises:
            KeyError: it was not measured.
        """
        for row in self.rows:
            if row["variant"] == variant:
                return row
        raise KeyError(variant)

    def only(self, *variants: str) -> Comparison:
        """Return the same result with some of its variants only, to be drawn beside another.

        Raises:
            KeyError: one of them was not measured.
        """
        rows = [self[variant] for variant in variants]
        curves = {curve.variant: curve for curve in self.curves}
        kept = [curves[variant] for variant in variants if variant in curves]
        return replace(self, rows=rows, curves=kept, beside=None, _shown_at=None)

    def together(self) -> tuple[list[Numbers], list[Curve]]:
        """Return rows and curves of all that is shown: the earlier ones first.

        An earlier variant is named with what was different about its load, such as `50 users`.
        """
        if self.beside is None:
            return self.rows, self.curves
        rows, curves = self.beside.together()
        names = {row["variant"]: self._earlier_name(row["variant"]) for row in rows}
        earlier = [{**row, "variant": names[row["variant"]]} for row in rows]
        drawn = [replace(curve, variant=names[curve.variant]) for curve in curves]
        return earlier + self.rows, drawn + self.curves

    def _earlier_name(self, variant: str) -> str:
        assert self.beside is not None
        now = self.title.split(", ")
        parts = [part for part in self.beside.title.split(", ") if part not in now]
        load = ", ".join(part for part in parts if "round" not in part)
        if load:
            return f"{variant} ({load})"
        again = any(row["variant"] == variant for row in self.rows)
        return f"{variant} (before)" if again else variant

    def __str__(self) -> str:
        return "\n".join([self.title, as_text(self.together()[0]), *self.notes])

    __repr__ = __str__

    def png(self) -> bytes:
        """Return the picture, as a PNG file."""
        return draw(self.title, *self.together(), self.counted)

    def alt(self) -> str:
        """Return the numbers in one sentence per variant, for whoever does not see the picture."""
        return f"{self.title}. " + " ".join(_sentence(row) for row in self.together()[0])

    def bundle(self) -> Bundle:
        """Return display data: the picture, and a page with picture and table that
        needs no trust.
        """
        if not self.rows:
            return {"text/plain": f"{self.title}\nNothing was measured."}
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        table = html_table(self.title, self.together()[0])
        return shown(self.png(), self.alt(), str(self), below=f"{table}{notes}")

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
        f"{number(row['answers_per_second'])} answers a second "
        f"({number(row['answers_lowest'])} to {number(row['answers_highest'])}), "
        f"p50 {number(row['p50_ms'])} ms, p99 {number(row['p99_ms'])} ms, "
        f"{number(row['memory_added_mb'])} MB added, {row['errors']} errors."
    )
