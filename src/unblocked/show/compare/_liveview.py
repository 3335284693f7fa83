"""The live view of a comparison: controls, a progress bar, and a panel per variant."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import ipywidgets as widgets

from unblocked.show.compare._measure import SERIES, Watcher
from unblocked.show.compare.livechart import LiveChart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unblocked.show._frontend import Slot
    from unblocked.show.compare._comparison import Comparison
    from unblocked.show.compare._controls import Controls
    from unblocked.show.compare._measure import Plan
    from unblocked.show.compare._picture import Curve
    from unblocked.show.compare.livechart import Row

_NICE = (1, 2, 2.5, 5, 10)
_LAST_ANSWERS_SECONDS = 0.5
_STEPS = 20  # Of the bar: each is a message, and a message costs more than a row in it.
_GAP, _NARROWEST = "10px", "252px"  # A panel beside a lesson goes below the others instead.


class LiveView(Watcher):
    """Panels side by side in one slot, fed while the variants run.

    What was measured before, `beside`, has its panels first.
    """

    def __init__(
        self,
        variants: Sequence[str],
        controls: Controls,
        slot: Slot,
        beside: Comparison | None = None,
    ) -> None:
        self._variants = list(variants)
        self._controls, self._slot = controls, slot
        self._earlier = _earlier(beside, self._variants)
        self._panels = _panels([*self._earlier, *self._variants])
        self._last = widgets.HTML()
        self._lock = threading.Lock()
        self._tops = [0.0, 0.0]
        self._round = 1.0
        self._rounds = 1
        self._turn = 1
        self.box = widgets.VBox([controls, self._panels, self._last])

    def show(self) -> None:
        """Put the live view into the slot."""
        names = ", ".join(self._variants)
        self._slot.put_widget(self.box, f"Comparing {names}: the live view needs a browser.")

    def begin(self, plan: Plan) -> None:
        """Clear all panels, and show those of an earlier comparison."""
        self._rounds, self._round = plan.rounds, plan.round_seconds + _LAST_ANSWERS_SECONDS
        self._tops = [0.0, 0.0]
        self._panels.clear()

        with self._panels.hold_sync():
            self._panels.say("waiting")
            if self._earlier:
                self._panels.say("before", *self._earlier)
            self._panels.span = self._rounds * self._round
            self._panels.y_max = list(self._tops)

        self._last.value = ""
        self._controls.running = True
        self._controls.progress = 0.0

        for title, curve in self._earlier.items():
            self._panels.add({title: curve.rows})
            for row in curve.rows:
                self._share_scale(row)

    def warming(self, variant: str, turn: int) -> None:
        self._turn = turn
        self._panels.say("warming up", variant)
        self._controls.says = f"Round {turn} of {self._rounds}: {variant} is warming up"

    def counting(self, variant: str, turn: int) -> None:
        self._panels.say(f"round {turn}", variant)
        self._controls.says = f"Round {turn} of {self._rounds}: {variant}"

    def measured(self, variant: str, row: Row) -> None:
        with self._lock:
            self._panels.add({variant: [row]})
            self._share_scale(row)
            share = min(1.0, (row[0] or 0.0) / self._round - (self._turn - 1))
            done = int(_STEPS * self._done(variant, max(0.0, share))) / _STEPS
            self._controls.progress = max(self._controls.progress, done)

    def ended(self, variant: str, turn: int) -> None:
        self._panels.say("done" if turn == self._rounds else "waiting", variant)
        self._controls.progress = self._done(variant, 1.0)

    def rest(self, result: Comparison) -> None:
        """Show the last result between two runs, with the controls ready."""
        self._controls.running = False
        self._controls.says = "Change the numbers and press Start, or Keep this result and go on."
        self._last.value = str(result.bundle().get("text/html", ""))

    def close(self) -> None:
        """Close all widgets, when the slot shows something else."""
        self._controls.close()
        self._panels.close()
        self.box.close()

    def _done(self, variant: str, share: float) -> float:
        before = (self._turn - 1) * len(self._variants) + self._variants.index(variant)
        return (before + share) / (self._rounds * len(self._variants))

    def _share_scale(self, row: Row) -> None:
        """Give all panels the same scales: side by side, different ones would mislead."""
        highest = [max(row[1] or 0, row[2] or 0), max(row[4] or 0, row[5] or 0)]
        tops = [
            old if value <= old else nice(value)
            for old, value in zip(self._tops, highest, strict=True)
        ]
        if tops != self._tops:
            self._tops = tops
            self._panels.y_max = list(tops)


def nice(value: float) -> float:
    """Return the next round number above, so that a scale grows in few steps."""
    size = 10.0 ** len(str(int(value))) / 10
    return float(next(step * size for step in _NICE if step * size >= value))


def _earlier(beside: Comparison | None, variants: list[str]) -> dict[str, Curve]:
    """Titles of the panels of what was measured before, and what they show."""
    curves = [] if beside is None else beside.together()[1]
    named = {}
    for curve in curves:
        again = curve.variant in variants
        named[f"{curve.variant} (before)" if again else curve.variant] = curve
    return named


def _panels(titles: list[str]) -> LiveChart:
    many = len(titles)
    height = 150 if many < 3 else 105
    return LiveChart(titles, SERIES, span=10.0, window_s=600.0, height=height, layout=_grid(many))


def _grid(panels: int) -> widgets.Layout:
    columns = {1: 1, 2: 2, 4: 2}.get(panels, 3)
    share = f"calc((100% - {columns - 1} * {_GAP}) / {columns})"  # of all that is there
    return widgets.Layout(
        display="grid",
        grid_template_columns=f"repeat(auto-fill, minmax(max({_NARROWEST}, {share}), 1fr))",
        grid_gap=_GAP,
        margin="8px 0 0",
        overflow="visible",
    )
