"""Live panels in the notebook: tiles and plots that grow row by row and cost the kernel little."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BUILT = Path(__file__).parent / "built"
Row = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One measured value: its name, its unit and the plot that draws it (None: only a number)."""

    name: str
    unit: str = ""
    plot: str | None = None


class LiveChart(anywidget.AnyWidget):
    """Panels side by side, each with a tile per series and one plot for each group of series.

    Rows are `(seconds, value, value, …)`, a value per series in order, None where nothing is known.
    Only new rows travel to the browser, in one message for all panels, as it is the message that
    costs and hardly what is in it. `rows` keeps the last `window_s` seconds of each panel.
    May be fed from any thread.
    """

    _esm = (BUILT / "livechart.js").read_text(encoding="utf-8")
    _css = (BUILT / "livechart.css").read_text(encoding="utf-8")

    titles = traitlets.List(traitlets.Unicode()).tag(sync=True)
    states = traitlets.List(traitlets.Unicode()).tag(sync=True)
    series = traitlets.List(traitlets.Dict()).tag(sync=True)
    plots = traitlets.List(traitlets.Dict()).tag(sync=True)
    window_s = traitlets.Float(60.0).tag(sync=True)
    span = traitlets.Float(2.0).tag(sync=True)
    height = traitlets.Int(150).tag(sync=True)
    y_max = traitlets.List(traitlets.Float()).tag(sync=True)

    def __init__(self, titles: Sequence[str], series: Sequence[Series], **traits: Any) -> None:
        labels = list(dict.fromkeys(item.plot for item in series if item.plot))
        drawn = [item for item in series if item.plot]
        super().__init__(
            titles=list(titles),
            states=[""] * len(titles),
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
        self.rows: dict[str, list[Row]] = {title: [] for title in titles}
        self._lock = threading.Lock()
        self.on_msg(self._answer)

    def add(self, rows: Mapping[str, Sequence[Row]]) -> None:
        """Append rows, oldest first, to the panels with these titles, and send only these rows.

        Raises `KeyError` when no panel has such a title.
        """
        if not any(rows.values()):
            return
        with self._lock:
            for title, new in rows.items():
                self.rows[title].extend(new)
                self._forget_old(self.rows[title])
            self._send_rows("add", rows)

    def clear(self) -> None:
        """Drop all rows, here and in the browser."""
        with self._lock:
            for rows in self.rows.values():
                rows.clear()
            self.send({"k": "clear"})

    def say(self, state: str, *titles: str) -> None:
        """Write a word beside these titles, or beside all when none is named."""
        told = titles or self.titles
        old = zip(self.titles, self.states, strict=True)
        self.states = [state if title in told else before for title, before in old]

    def describe(self, title: str) -> str:
        """Return the latest and the largest value of each series of a panel, in words."""
        if not self.rows[title]:
            return f"{title}: nothing measured yet"
        columns = list(zip(*self.rows[title], strict=True))[1:]
        parts = [
            f"{item['name']}: latest {_number(column[-1])}, largest {_number(_largest(column))}"
            for item, column in zip(self.series, columns, strict=True)
        ]
        return f"{title}. " + "; ".join(parts)

    def _answer(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        """Send all rows to a browser that has just loaded the page."""
        if message.get("k") == "hello" and any(self.rows.values()):
            with self._lock:
                self._send_rows("set", self.rows)

    def _send_rows(self, kind: str, rows: Mapping[str, Sequence[Row]]) -> None:
        self.send({"k": kind, "rows": [list(rows.get(title, ())) for title in self.rows]})

    def _forget_old(self, rows: list[Row]) -> None:
        if rows:
            oldest = (rows[-1][0] or 0.0) - self.window_s
            del rows[: next(i for i, row in enumerate(rows) if (row[0] or 0.0) >= oldest)]


def _largest(column: Iterable[float | None]) -> float | None:
    return max((value for value in column if value is not None), default=None)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}"
