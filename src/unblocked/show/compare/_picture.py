"""The picture of a comparison: what a saved notebook keeps of it."""

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


@dataclass(frozen=True, slots=True)
class Curve:
    """What was seen of one variant while it ran."""

    variant: str
    seconds: Sequence[float]
    threads: Sequence[float | None]
    """Threads added since the variant was started."""
    in_flight: Sequence[float | None]
    """Upstream calls in flight, or the app's requests when no upstream was given."""


def draw(title: str, numbers: Sequence[Numbers], curves: Sequence[Curve], counted: str) -> bytes:
    """Curves side by side above, the numbers as bars below; a PNG file.

    `counted` says what the curves' calls in flight are.
    """
    rows = len(numbers)
    figure = new_figure(figsize=(10.5, 3.4 + 1.1 + 0.36 * rows), layout="constrained")
    figure.suptitle(title, fontsize=12, fontweight="bold")
    parts: Any = figure.subfigures(2, 1, height_ratios=[2.6, 1.1 + 0.36 * rows])
    above, below = parts
    _draw_curves(above, curves, counted)
    _draw_bars(below, numbers)
    return png(figure)


def _draw_curves(figure: Any, curves: Sequence[Curve], counted: str) -> None:
    axes = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for one, curve in zip(axes, curves, strict=True):
        _draw_curve(one, curve, 100 // len(curves))
    axes[0].set_ylabel("count", fontsize=9)
    axes[0].set_ylim(bottom=0)
    lines, _ = axes[0].get_legend_handles_labels()
    names = ["threads added", counted]
    figure.legend(lines, names, loc="outside lower center", ncols=2, fontsize=9, frameon=False)


def _draw_curve(axes: Axes, curve: Curve, width: int) -> None:
    plain(axes)
    axes.grid(axis="y", color="#e3e3e3", linewidth=0.8)
    axes.plot(curve.seconds, gaps(curve.threads), color=VERMILION, linewidth=2.2, label="threads")
    style: Any = (0, (4, 2))
    flying = gaps(curve.in_flight)
    axes.plot(curve.seconds, flying, color=BLUE, linewidth=1.8, linestyle=style, label="in flight")
    axes.set_title("\n".join(textwrap.wrap(curve.variant, width)), fontsize=11)
    axes.set_xlabel("seconds", fontsize=9)


def _draw_bars(figure: Any, numbers: Sequence[Numbers]) -> None:
    panels = (
        ("threads added", "threads_added", VERMILION),
        ("answers a second", "answers_per_second", BLUE),
        ("latency p99, ms", "p99_ms", PURPLE),
        ("memory added, MB", "memory_added_mb", GREEN),
    )
    axes = figure.subplots(1, len(panels), sharey=True)
    for one, (title, key, colour) in zip(axes, panels, strict=True):
        _draw_bar(one, numbers, key, colour)
        one.set_title(title, fontsize=10)
    axes[0].invert_yaxis()


def _draw_bar(axes: Axes, numbers: Sequence[Numbers], key: str, colour: str) -> None:
    plain(axes)
    values = [row[key] or 0 for row in numbers]
    names = ["\n".join(textwrap.wrap(row["variant"], 22)) for row in numbers]
    bars = axes.barh(names, values, color=colour, height=0.6)
    labels = [number(row[key]) for row in numbers]
    axes.bar_label(bars, labels=labels, padding=3, fontsize=9)
    axes.set_xlim(0, max([*values, 1e-9]) * 1.35)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
