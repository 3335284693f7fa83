"""Static pictures: what a saved notebook keeps of a comparison."""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from unblocked.show._comparison import Comparison, Curve

VERMILION, BLUE, GREEN, PURPLE = "#D55E00", "#0072B2", "#009E73", "#CC79A7"
GREY = "#5f6368"


def png(figure: Figure) -> bytes:
    """A figure as a PNG file with a white ground, readable on dark pages too."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110, facecolor="white")
    return data.getvalue()


def plain(axes: Axes) -> None:
    """Leave out the frame that says nothing."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, colors="#333333")


def comparison(result: Comparison) -> bytes:
    """Curves side by side above, the numbers as bars below; a PNG file."""
    rows = len(result.rows)
    figure = Figure(figsize=(10.5, 3.4 + 1.1 + 0.36 * rows), layout="constrained")
    figure.suptitle(result.title, fontsize=12, fontweight="bold")
    parts: Any = figure.subfigures(2, 1, height_ratios=[2.6, 1.1 + 0.36 * rows])
    above, below = parts
    _draw_curves(above, result)
    _draw_bars(below, result)
    return png(figure)


def _draw_curves(figure: Any, result: Comparison) -> None:
    axes = figure.subplots(1, len(result.curves), sharey=True, squeeze=False)[0]
    for one, curve in zip(axes, result.curves, strict=True):
        _draw_curve(one, curve, 100 // len(result.curves))
    axes[0].set_ylabel("count", fontsize=9)
    axes[0].set_ylim(bottom=0)
    lines, _ = axes[0].get_legend_handles_labels()
    names = ["threads added", result.counted]
    figure.legend(lines, names, loc="outside lower center", ncols=2, fontsize=9, frameon=False)


def _draw_curve(axes: Axes, curve: Curve, width: int) -> None:
    plain(axes)
    axes.grid(axis="y", color="#e3e3e3", linewidth=0.8)
    axes.plot(curve.seconds, _gaps(curve.threads), color=VERMILION, linewidth=2.2, label="threads")
    style: Any = (0, (4, 2))
    flying = _gaps(curve.in_flight)
    axes.plot(curve.seconds, flying, color=BLUE, linewidth=1.8, linestyle=style, label="in flight")
    axes.set_title("\n".join(textwrap.wrap(curve.variant, width)), fontsize=11)
    axes.set_xlabel("seconds", fontsize=9)


def _gaps(values: Any) -> list[float]:
    return [float("nan") if value is None else float(value) for value in values]


def _draw_bars(figure: Any, result: Comparison) -> None:
    panels = (
        ("threads added", "threads_added", VERMILION),
        ("answers a second", "answers_per_second", BLUE),
        ("latency p99, ms", "p99_ms", PURPLE),
        ("memory added, MB", "memory_added_mb", GREEN),
    )
    axes = figure.subplots(1, len(panels), sharey=True)
    for one, (title, key, colour) in zip(axes, panels, strict=True):
        _draw_bar(one, result, key, colour)
        one.set_title(title, fontsize=10)
    axes[0].invert_yaxis()


def _draw_bar(axes: Axes, result: Comparison, key: str, colour: str) -> None:
    from unblocked.show._comparison import number

    plain(axes)
    values = [row[key] or 0 for row in result.rows]
    names = ["\n".join(textwrap.wrap(row["variant"], 22)) for row in result.rows]
    bars = axes.barh(names, values, color=colour, height=0.6)
    labels = [number(row[key]) for row in result.rows]
    axes.bar_label(bars, labels=labels, padding=3, fontsize=9)
    axes.set_xlim(0, max([*values, 1e-9]) * 1.35)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
