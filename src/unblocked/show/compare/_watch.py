"""A strip that shows a served app live, until the app stops."""

from __future__ import annotations

import threading
from html import escape
from typing import TYPE_CHECKING

from unblocked.rig import Meter
from unblocked.show._frontend import Slot, has_front_end
from unblocked.show.compare._picture import draw_lines
from unblocked.show.compare.livechart import LiveChart, Row, Series
from unblocked.show.figure import new_figure, png, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unblocked.rig import Sample, Server
    from unblocked.show._frontend import Bundle

_PLOT = "Threads added and requests in flight"
_SERIES = (
    Series("threads added", plot=_PLOT),
    Series("in flight", plot=_PLOT),
    Series("loop lag", "ms"),
    Series("memory added", "MB"),
)
_MB = 1e6


class Watch:
    """Watches one served app, until the app or `stop()` ends it, or the app is watched again.

    The live strip then gives way to a picture and a line of numbers.
    """

    def __init__(self, server: Server, every: float, window: float) -> None:
        self._server, self._every = server, every
        self._meter = Meter(server=server)
        self._slot = Slot()
        self._begun, self._over = threading.Event(), threading.Event()
        self._chart: LiveChart | None = None

        if has_front_end():
            self._chart = LiveChart([server.name], _SERIES, window_s=window, span=10.0, height=110)
            self._chart.say("live")
            self._slot.put_widget(self._chart, f"Watching {server.name} live needs a browser.")

        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()  # Before the meter, which then counts this thread as there already.
        self._meter.start()
        self._begun.set()

    @property
    def running(self) -> bool:
        """Whether it still watches."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Stop watching and keep what was seen. Stopping twice is fine."""
        self._over.set()
        self._thread.join()

    def __str__(self) -> str:
        first, peak, added = self._meter.first, self._meter.peak, self._meter.added
        return (
            f"{self._server.name}: {first.threads} threads at first, {added.threads} added; "
            f"{peak.in_flight} requests in flight, loop lag {peak.lag * 1000:.0f} ms and "
            f"{added.rss / _MB:.1f} MB of memory added at most."
        )

    def __repr__(self) -> str:
        return f"<Watch {self._server.name} {'live' if self.running else 'stopped'}>"

    def _ipython_display_(self) -> None:
        """Show nothing more: the strip is there already."""

    def _run(self) -> None:
        self._begun.wait()
        while not self._over.wait(self._every) and self._server.running:
            if self._chart is not None:
                self._chart.add({self._server.name: [self._row(self._meter.latest)]})
        self._meter.stop()
        self._slot.put(self._bundle())
        if self._chart is not None:
            self._chart.close()

    def _row(self, now: Sample) -> Row:
        first = self._meter.first
        return (
            round(now.at, 2),
            now.threads - first.threads,
            now.in_flight,
            round(now.lag * 1000, 1),
            round((now.rss - first.rss) / _MB, 1),
        )

    def _bundle(self) -> Bundle:
        rows = [self._row(sample) for sample in self._meter.rows]
        text = str(self)
        return shown(_strip(rows, _PLOT), text, below=f"<p>{escape(text)}</p>")


def _strip(rows: Sequence[Row], label: str) -> bytes:
    """Draw what a watched app did: threads added and requests in flight; return a PNG file."""
    figure = new_figure(figsize=(10.5, 1.9), layout="constrained")
    axes = figure.subplots()
    draw_lines(axes, *zip(*(row[:3] for row in rows), strict=True))
    axes.set_title(label, fontsize=10, loc="left")
    axes.set_xlabel("seconds", fontsize=9)
    axes.legend(fontsize=9, frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    return png(figure)


_watches: dict[int, Watch] = {}


def watch(server: Server, *, every: float = 0.25, window: float = 60.0) -> Watch:
    """Show a served app's threads, requests in flight, event-loop lag and memory live.

    Args:
        server: what `serve` returned; `server.watch()` is the same.
        every: seconds between two looks.
        window: how many seconds stay in view.
    """
    earlier = _watches.pop(id(server), None)
    if earlier is not None:
        earlier.stop()
    started = Watch(server, every, window)
    _watches[id(server)] = started
    return started
