"""A picture of when requests and upstream calls ran, which shows what waited for what."""

from __future__ import annotations

import time
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from IPython.display import display

from unblocked.show._frontend import in_kernel
from unblocked.show.figure import PALETTE, new_figure, plain, png, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from unblocked.rig import Server, Upstream
    from unblocked.show._frontend import Bundle

_MOST_BARS = 60
_MOST_LABELS = 30


@dataclass(frozen=True, slots=True)
class Bar:
    """One request or one upstream call."""

    label: str
    group: str
    """The task (of a request) or the connection (of a call) that gives the colour."""
    start: float
    """Seconds since the first bar."""
    end: float
    complete: bool
    """False when it is still in flight, or was cut short."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Bars for the requests to an app, and for the calls that its upstream got."""

    requests: Sequence[Bar]
    calls: Sequence[Bar]
    left_out: int = 0

    def png(self) -> bytes:
        """Return the picture, as a PNG file."""
        return _draw(self)

    def __str__(self) -> str:
        if not self.requests and not self.calls:
            return "Nothing was asked for yet."
        end = max(bar.end for bar in (*self.requests, *self.calls))
        together = most_at_once(self.calls)
        text = (
            f"{len(self.requests)} requests and {len(self.calls)} upstream calls in {end:.2f} s; "
            f"at most {together} calls at the same time, "
            f"on {len({bar.group for bar in self.calls})} connections."
        )
        return text + (f" {self.left_out} earlier ones are left out." if self.left_out else "")

    def bundle(self) -> Bundle:
        """Return display data: the picture with its alternative text."""
        if not self.requests and not self.calls:
            return {"text/plain": str(self)}
        text = str(self)
        return shown(self.png(), text, below=f"<p>{escape(text)}</p>")

    def _ipython_display_(self) -> None:
        if in_kernel():
            display(self.bundle(), raw=True)  # type: ignore[no-untyped-call]
        else:
            print(self)


def timeline(server: Server, upstream: Upstream, *, most: int = _MOST_BARS) -> Timeline:
    """Return what ran when: a bar per request to `server` and per call that `upstream` got.

    Calls are those since the upstream's last `reset()`; requests those that ended after it. Only
    the newest `most` of each are kept. A bar's colour stands for the task that answered a request,
    and for the connection a call came on, so that calls that share a connection look alike.
    """
    now = time.time()
    calls = [
        Bar(
            f"{call.method} {call.path}",
            f"connection {call.connection}",
            upstream.started_at + call.started,
            now if call.ended is None else upstream.started_at + call.ended,
            call.ended is not None and not call.cut_short,
        )
        for call in upstream.log()
    ]
    first = min((bar.start for bar in calls), default=0.0)
    requests = [
        Bar(
            f"{request.method} {request.path}",
            request.task,
            server.started_at + request.started,
            now if request.ended is None else server.started_at + request.ended,
            request.ended is not None,
        )
        for request in server.log()
    ]
    requests = [bar for bar in requests if bar.end >= first]
    left_out = max(0, len(calls) - most) + max(0, len(requests) - most)
    return _from_zero(requests[-most:], calls[-most:], left_out)


def _from_zero(requests: Sequence[Bar], calls: Sequence[Bar], left_out: int) -> Timeline:
    zero = min((bar.start for bar in (*requests, *calls)), default=0.0)

    def shifted(bars: Sequence[Bar]) -> list[Bar]:
        return [
            Bar(bar.label, bar.group, bar.start - zero, bar.end - zero, bar.complete)
            for bar in bars
        ]

    return Timeline(shifted(requests), shifted(calls), left_out)


def most_at_once(bars: Sequence[Bar]) -> int:
    """Return how many bars overlap at most."""
    steps = sorted([(bar.start, 1) for bar in bars] + [(bar.end, -1) for bar in bars])
    level = most = 0
    for _, step in steps:
        level += step
        most = max(most, level)
    return most


def _draw(result: Timeline) -> bytes:
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
