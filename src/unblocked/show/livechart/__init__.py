"""A live panel in the notebook: tiles and plots that grow row by row and cost the kernel little."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BUILT = Path(__file__).parent / "built"
Row = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One measured value: its name, its unit and the plot that draws it (None: only a number)."""

    name: str
    unit: str = ""
    plot: str | None = None


class LiveChart(anywidget.AnyWidget):
    """A panel with a tile per series and one plot for each group of series.

    Rows are `(seconds, value, value, …)`, a value per series in order, None where nothing is known.
    Only new rows travel to the browser; `rows` keeps the last `window_s` seconds here as well.
    May be fed from any thread.
    """

    _esm = (BUILT / "livechart.js").read_text(encoding="utf-8")
    _css = (BUILT / "livechart.css").read_text(encoding="utf-8")

    title = traitlets.Unicode().tag(sync=True)
    state = traitlets.Unicode().tag(sync=True)
    series = traitlets.List(traitlets.Dict()).tag(sync=True)
    plots = traitlets.List(traitlets.Dict()).tag(sync=True)
    window_s = traitlets.Float(60.0).tag(sync=True)
    span = traitlets.Float(2.0).tag(sync=True)
    height = traitlets.Int(150).tag(sync=True)
    y_max = traitlets.List(traitlets.Float()).tag(sync=True)

    def __init__(self, title: str, series: Sequence[Series], **traits: Any) -> None:
        labels = list(dict.fromkeys(item.plot for item in series if item.plot))
        drawn = [item for item in series if item.plot]
        super().__init__(
            title=title,
            series=[
                {
                    "name": item.name,
                    "unit": item.unit,
                    "style": drawn.index(item) if item.plot else None,
                }
                for item in series
            ],
            plots=[
                {"label": label, "indices": [i for i, s in enumerate(series) if s.plot == label]}
                for label in labels
            ],
            y_max=[0.0] * len(labels),
            **traits,
        )
        self.rows: list[Row] = []
        self._lock = threading.Lock()
        self.on_msg(self._answer)

    def add(self, *rows: Row) -> None:
        """Append rows, oldest first, and send only these to the browser."""
        if not rows:
            return
        with self._lock:
            self.rows.extend(rows)
            self._forget_old()
            self.send({"k": "add", "rows": [list(row) for row in rows]})

    def clear(self) -> None:
        """Drop all rows, here and in the browser."""
        with self._lock:
            self.rows.clear()
            self.send({"k": "clear"})

    def describe(self) -> str:
        """The latest and the largest value of each series, in words."""
        if not self.rows:
            return f"{self.title}: nothing measured yet"
        columns = list(zip(*self.rows, strict=True))[1:]
        parts = [
            f"{item['name']}: latest {_number(column[-1])}, largest {_number(_largest(column))}"
            for item, column in zip(self.series, columns, strict=True)
        ]
        return f"{self.title}. " + "; ".join(parts)

    def _answer(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        """A browser that has just loaded the page asks for what it missed."""
        if message.get("k") == "hello" and self.rows:
            with self._lock:
                self.send({"k": "set", "rows": [list(row) for row in self.rows]})

    def _forget_old(self) -> None:
        newest = self.rows[-1][0] or 0.0
        keep = next(
            i for i, row in enumerate(self.rows) if (row[0] or 0.0) >= newest - self.window_s
        )
        del self.rows[:keep]


def _largest(column: Iterable[float | None]) -> float | None:
    return max((value for value in column if value is not None), default=None)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}"
