"""What a comparison measured: rows of numbers, a table, a picture, and the same in plain text."""

from __future__ import annotations

from dataclasses import dataclass, field
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
        return "\n".join([self.title, as_text(self.rows), *self.notes])

    def png(self) -> bytes:
        """The picture, as a PNG file."""
        return draw(self.title, self.rows, self.curves, self.counted)

    def alt(self) -> str:
        """The numbers in one sentence per variant, for whoever does not see the picture."""
        return f"{self.title}. " + " ".join(_sentence(row) for row in self.rows)

    def bundle(self) -> Bundle:
        """Display data: the picture, and a page with picture and table that needs no trust."""
        if not self.rows:
            return {"text/plain": f"{self.title}\nNothing was measured."}
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        table = html_table(self.title, self.rows)
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
        f"{number(row['answers_per_second'])} answers a second, "
        f"p50 {number(row['p50_ms'])} ms, p99 {number(row['p99_ms'])} ms, "
        f"{number(row['memory_added_mb'])} MB added, {row['errors']} errors."
    )
