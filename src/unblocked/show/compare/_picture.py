"""Draws the picture of a comparison, which a saved notebook keeps."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unblocked.show.compare._table import number
from unblocked.show.figure import BLUE, GREEN, PURPLE, VERMILION, gaps, new_figure, plain, png

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from unblocked.show.compare._table import Numbers
    from unblocked.show.compare.livechart import Row

_BARS = (
    ("threads added", "threads_added", VERMILION),
    ("answers a second", "answers_per_second", BLUE),
    ("latency p99, ms", "p99_ms", PURPLE),
    ("memory added, MB", "memory_added_mb", GREEN),
)
_IN_A_ROW = 3
_INCHES_OF_CURVES, _INCHES_OF_A_BAR = 2.3, 0.36


@dataclass(frozen=True, slots=True)
class Curve:
    """What was seen of one variant while it ran."""

    variant: str
    seconds: Sequence[float]
    threads: Sequence[float | None]
    """Threads added since the variant was started."""
    in_flight: Sequence[float | None]
    """Upstream calls in flight, or the app's requests when no upstream was given."""
    rows: Sequence[Row] = ()
    """The same and the rest of what a live panel shows."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing but zeros was seen."""
        return not any(self.threads) and not any(self.in_flight)


def draw(title: str, numbers: Sequence[Numbers], curves: Sequence[Curve], counted: str) -> bytes:
    """Curves side by side above, the numbers as bars below; a PNG file.

    All curves have the same axes. What would be an empty panel is left out. `counted` says what
    the curves' calls in flight are.
    """
    drawn = [curve for curve in curves if not curve.is_empty]
    panels = [panel for panel in _BARS if any(row[panel[1]] for row in numbers)]
    heights = []
    if drawn:
        heights.append(0.6 + _INCHES_OF_CURVES * -(-len(drawn) // _IN_A_ROW))
    if panels:
        heights.append(0.7 + _INCHES_OF_A_BAR * max(len(numbers), 2))
    figure = new_figure(figsize=(10.5, 0.5 + sum(heights)), layout="constrained")
    figure.suptitle(title, fontsize=12, fontweight="bold")

    if heights:
        parts: Any = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
        rest = list(parts[:, 0])
        if drawn:
            _draw_curves(rest.pop(0), drawn, counted)
        if panels:
            _draw_bars(rest.pop(0), numbers, panels)

    return png(figure)


def _draw_curves(figure: Any, curves: Sequence[Curve], counted: str) -> None:
    many = len(curves)
    columns = many if many <= _IN_A_ROW else 2 if many == 4 else _IN_A_ROW
    lines = -(-many // columns)
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)

    for one, curve in zip(axes.flat, curves, strict=False):
        _draw_curve(one, curve, 100 // columns)
    for one in axes.flat[many:]:
        one.set_axis_off()

    for one in axes[:, 0]:
        one.set_ylabel("count", fontsize=9)
    for one in axes.flat[max(0, many - columns) : many]:
        one.set_xlabel("seconds of load, round after round", fontsize=9)
        one.tick_params(labelbottom=True)

    axes[0][0].set_ylim(bottom=0)
    axes[0][0].set_xlim(left=0)
    handles, _ = axes[0][0].get_legend_handles_labels()
    names = ["threads added", counted]
    figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=9, frameon=False)


def _draw_curve(axes: Axes, curve: Curve, width: int) -> None:
    draw_lines(axes, curve.seconds, curve.threads, curve.in_flight)
    axes.set_title("\n".join(textwrap.wrap(curve.variant, width)), fontsize=11)


def draw_lines(axes: Axes, seconds: Any, threads: Any, in_flight: Any) -> None:
    """Draw threads added as a whole line, and what is in flight as a dashed one."""
    plain(axes)
    axes.grid(axis="y", color="#e3e3e3", linewidth=0.8)
    axes.plot(seconds, gaps(threads), color=VERMILION, linewidth=2.2, label="threads added")
    dashes: Any = (0, (4, 2))
    flying = gaps(in_flight)
    axes.plot(seconds, flying, color=BLUE, linewidth=1.8, linestyle=dashes, label="in flight")
    # Else the first of several axes that share a scale would fix its top for the others.
    axes.set_ylim(bottom=0, auto=True)


def _draw_bars(figure: Any, numbers: Sequence[Numbers], panels: Sequence[Any]) -> None:
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for one, (title, key, colour) in zip(axes, panels, strict=True):
        _draw_bar(one, numbers, key, colour)
        one.set_title(title, fontsize=10)
    axes[0].set_ylim(max(len(numbers), 2) - 0.5, -0.5)  # One bar alone would be a giant.


def _draw_bar(axes: Axes, numbers: Sequence[Numbers], key: str, colour: str) -> None:
    plain(axes)
    values = [row[key] or 0 for row in numbers]
    positions = range(len(numbers))
    axes.barh(positions, values, color=colour, height=0.6)
    ends = values

    if key == "answers_per_second":
        ends = [max(row["answers_highest"], row[key]) for row in numbers]
        lowest = [row["answers_lowest"] for row in numbers]
        axes.hlines(positions, lowest, ends, color="#222222", linewidth=1.4)

    names = ["\n".join(textwrap.wrap(row["variant"], 24)) for row in numbers]
    axes.set_yticks(positions, names)
    for position, end, row in zip(positions, ends, numbers, strict=True):
        axes.annotate(
            number(row[key]),
            (end, position),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )

    axes.set_xlim(0, max([*ends, 1e-9]) * 1.35)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
