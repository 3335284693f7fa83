"""Static pictures: what a saved notebook keeps of a comparison."""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING, Any

from unblocked.show.variants import NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unblocked.show._comparison import Comparison, Curve
    from unblocked.show._timeline import Bar, Timeline
    from unblocked.show.livechart import Row
    from unblocked.show.race import Lap

VERMILION, BLUE, GREEN, PURPLE = "#D55E00", "#0072B2", "#009E73", "#CC79A7"
PALETTE = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#999999")
"""Okabe and Ito's colours, light enough for black letters on them."""
_MOST_LABELS = 30


def new_figure(**options: Any) -> Figure:
    """Load matplotlib with the first picture: it takes a second, and most notebooks draw none."""
    from matplotlib.figure import Figure

    return Figure(**options)


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
    figure = new_figure(figsize=(10.5, 3.4 + 1.1 + 0.36 * rows), layout="constrained")
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


def strip(rows: Sequence[Row], label: str) -> bytes:
    """What a watched app did: threads added and requests in flight; a PNG file."""
    figure = new_figure(figsize=(10.5, 1.9), layout="constrained")
    axes = figure.subplots()
    plain(axes)
    axes.grid(axis="y", color="#e3e3e3", linewidth=0.8)
    seconds, threads, flying = zip(*(row[:3] for row in rows), strict=True)
    axes.plot(seconds, _gaps(threads), color=VERMILION, linewidth=2.2, label="threads added")
    style: Any = (0, (4, 2))
    axes.plot(seconds, _gaps(flying), color=BLUE, linewidth=1.8, linestyle=style, label="in flight")
    axes.set_ylim(bottom=0)
    axes.set_title(label, fontsize=10, loc="left")
    axes.set_xlabel("seconds", fontsize=9)
    axes.legend(fontsize=9, frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    return png(figure)


def timeline(result: Timeline) -> bytes:
    """Bars in the order in which they began, requests above calls; a PNG file."""
    bars = len(result.requests) + len(result.calls)
    height = min(12.0, 1.3 + 0.2 * max(bars, 4))
    figure = new_figure(figsize=(10.5, height), layout="constrained")
    shares = [max(len(result.requests), 1), max(len(result.calls), 1)]
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=shares)
    _draw_bars_in_time(above, result.requests, "requests\nto the app")
    _draw_bars_in_time(below, result.calls, "calls at\nthe upstream")
    above.tick_params(labelbottom=False)
    below.set_xlabel("seconds", fontsize=9)
    figure.suptitle(str(result), fontsize=10)
    return png(figure)


def _draw_bars_in_time(axes: Axes, bars: Sequence[Bar], label: str) -> None:
    plain(axes)
    groups = list(dict.fromkeys(bar.group for bar in bars))
    for position, bar in enumerate(bars):
        colour = PALETTE[groups.index(bar.group) % len(PALETTE)]
        axes.barh(
            position,
            max(bar.end - bar.start, 1e-4),
            left=bar.start,
            height=0.74,
            color=colour if bar.complete else "white",
            edgecolor=colour,
            hatch=None if bar.complete else "////",
        )
        if len(bars) <= _MOST_LABELS:
            axes.text(bar.start, position, f" {bar.group}", va="center", fontsize=7, color="black")
    axes.set_yticks([])
    axes.set_ylabel(label, fontsize=9, rotation=0, ha="right", va="center")
    axes.set_ylim(max(len(bars), 1) - 0.4, -0.6)
    axes.grid(axis="x", color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)


def race(laps: Sequence[Lap], delay: float) -> bytes:
    """Threads and answers a second of each variant, a bar per number of users; a PNG file."""
    users = list(dict.fromkeys(lap.users for lap in laps))
    names = list(dict.fromkeys(lap.name for lap in laps))
    figure = new_figure(figsize=(10.5, 1.6 + len(names) * (0.32 + 0.24 * len(users))))
    figure.set_layout_engine("constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_laps(left, laps, users, names, "threads", VERMILION)
    _draw_laps(right, laps, users, names, "per_second", BLUE)
    left.set_title("threads added at the peak", fontsize=11)
    right.set_title("answers a second", fontsize=11)
    left.invert_yaxis()
    many = ", ".join(f"{n:,}" for n in users)
    ideal = ", ".join(f"{n / delay:,.0f}" for n in users)
    figure.suptitle(f"Five calls of {delay * 1000:.0f} ms in an endpoint, {many} users")
    right.set_xlabel(f"if nothing but the delay counted: {ideal}", fontsize=9)
    return png(figure)


def _draw_laps(
    axes: Axes, laps: Sequence[Lap], users: list[int], names: list[str], key: str, colour: str
) -> None:
    plain(axes)
    thickness = 0.8 / len(users)
    for lap in laps:
        row = users.index(lap.users)
        value = getattr(lap, key)
        place = names.index(lap.name) + (row - (len(users) - 1) / 2) * thickness
        shade = 1.0 - 0.55 * (len(users) - 1 - row) / max(len(users), 1)
        axes.barh(place, value, height=thickness * 0.92, color=colour, alpha=shade)
        text = f" {value:,.0f}" + (f"  ({lap.users:,} users)" if len(users) > 1 else "")
        axes.text(value, place, text, va="center", fontsize=9)
    axes.set_yticks(range(len(names)), [NAMES[name] for name in names])
    axes.set_xlim(0, max([getattr(lap, key) for lap in laps] + [1]) * 1.4)
    axes.xaxis.set_ticks([])
    axes.spines["bottom"].set_visible(False)
