"""The live view of a comparison: controls, a progress bar, and a panel per variant."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import ipywidgets as widgets

from unblocked.show.compare._measure import SERIES, Plan
from unblocked.show.compare.livechart import LiveChart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unblocked.show._frontend import Slot
    from unblocked.show.compare._comparison import Comparison
    from unblocked.show.compare._table import Numbers
    from unblocked.show.compare.livechart import Row

Order = Literal["start", "stop", "keep"]
_MOST_USERS, _MOST_FAN_OUT, _MOST_DELAY = 300, 20, 2.0
_NICE = (1, 2, 2.5, 5, 10)
_LAST_ANSWERS_SECONDS = 0.5
_STEPS = 20  # Of the bar: each is a message, and a message costs more than a row in it.
_GAP, _NARROWEST = "10px", "252px"  # A panel beside a lesson goes below the others instead.


class Controls:
    """Sliders and buttons. Orders arrive in a queue of the loop that made the controls."""

    def __init__(self, plan: Plan, *, interactive: bool) -> None:
        self._plan = plan
        self._loop = asyncio.get_running_loop()
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        self._users = _int_slider("users", plan.users, _MOST_USERS)
        self._fan_out = _int_slider("fan-out", plan.fan_out or 1, _MOST_FAN_OUT)
        self._delay = _delay_slider(plan.delay or 0.0)
        self._start = self._button("Start", "start", "play", "Measure with these numbers")
        self._stop = self._button("Stop", "stop", "stop", "End the measurement now")
        self._keep = self._button("Keep", "keep", "check", "Keep the last result and go on")
        self._keep.layout.display = None if interactive else "none"
        self.progress = widgets.FloatProgress(max=1.0, layout=widgets.Layout(width="220px"))
        self.says = widgets.Label(layout=widgets.Layout(flex="1 1 auto"))
        self.running(False)

    def box(self) -> widgets.VBox:
        """All of it, sliders above buttons."""
        sliders = [self._users]
        sliders += [self._fan_out] if self._plan.fan_out is not None else []
        sliders += [self._delay] if self._plan.delay is not None else []
        buttons = [self._start, self._stop, self._keep, self.progress, self.says]
        wrap = widgets.Layout(flex_flow="row wrap", align_items="center")
        return widgets.VBox([widgets.Box(sliders, layout=wrap), widgets.Box(buttons, layout=wrap)])

    def plan(self) -> Plan:
        """What the sliders say now."""
        old = self._plan
        return replace(
            old,
            users=self._users.value,
            fan_out=None if old.fan_out is None else self._fan_out.value,
            delay=None if old.delay is None else self._delay.value,
        )

    def running(self, is_running: bool) -> None:
        """Enable what can be pressed."""
        self._stop.disabled = not is_running
        self._keep.disabled = is_running
        self._start.tooltip = "Start again with these numbers" if is_running else "Measure"

    async def order(self) -> Order:
        """The next button that is pressed."""
        return await self._orders.get()

    def _button(self, name: str, order: Order, icon: str, tip: str) -> widgets.Button:
        button = widgets.Button(
            description=name, icon=icon, tooltip=tip, layout=widgets.Layout(width="96px")
        )
        # Older kernels run callbacks in another thread with another loop.
        button.on_click(lambda _: self._loop.call_soon_threadsafe(self._orders.put_nowait, order))
        return button

    def close(self) -> None:
        """Let the buttons go; a late press has no effect."""
        for button in (self._start, self._stop, self._keep):
            button.close()


def _int_slider(name: str, value: int, most: int) -> widgets.IntSlider:
    return widgets.IntSlider(
        value=value,
        min=1,
        max=max(most, value),
        description=name,
        continuous_update=False,
        layout=widgets.Layout(width="300px"),
        style={"description_width": "60px"},
    )


def _delay_slider(value: float) -> widgets.FloatSlider:
    return widgets.FloatSlider(
        value=value,
        min=0.0,
        max=max(_MOST_DELAY, value),
        step=0.05,
        readout_format=".2f",
        description="delay, s",
        continuous_update=False,
        layout=widgets.Layout(width="300px"),
        style={"description_width": "60px"},
    )


class LiveView:
    """Panels side by side in one slot, fed while the variants run."""

    def __init__(self, variants: Sequence[str], controls: Controls, slot: Slot) -> None:
        self._variants = list(variants)
        self._controls, self._slot = controls, slot
        self._panels = _panels(self._variants)
        self._last = widgets.HTML()
        self._lock = threading.Lock()
        self._tops = [0.0, 0.0]
        self._seconds = 1.0
        self.box = widgets.VBox([controls.box(), self._panels, self._last])

    def show(self) -> None:
        """Put the live view into the slot."""
        names = ", ".join(self._variants)
        self._slot.put_widget(self.box, f"Comparing {names}: the live view needs a browser.")

    def begin(self, plan: Plan) -> None:
        self._seconds = plan.seconds + _LAST_ANSWERS_SECONDS
        self._tops = [0.0, 0.0]
        self._panels.clear()
        with self._panels.hold_sync():
            self._panels.say("waiting")
            self._panels.span = self._seconds
            self._panels.y_max = list(self._tops)
        self._last.value = ""
        self._controls.running(True)
        self._controls.progress.value = 0.0

    def started(self, variant: str) -> None:
        self._panels.say("running", variant)
        position = self._variants.index(variant) + 1
        self._controls.says.value = f"{variant} ({position} of {len(self._variants)})"

    def measured(self, variant: str, row: Row) -> None:
        with self._lock:
            self._panels.add({variant: [row]})
            self._share_scale(row)
            share = min(1.0, (row[0] or 0.0) / self._seconds)
            self._controls.progress.value = int(_STEPS * self._done(variant, share)) / _STEPS

    def ended(self, variant: str, numbers: Numbers) -> None:
        self._panels.say("done", variant)
        self._controls.progress.value = self._done(variant, 1.0)

    def rest(self, result: Comparison) -> None:
        """Between two runs: the last result below, the controls ready."""
        self._controls.running(False)
        self._controls.says.value = "Change the numbers and press Start, or keep this result."
        self._last.value = str(result.bundle().get("text/html", ""))

    def close(self) -> None:
        """Let all widgets go; the slot shows something else by now."""
        self._controls.close()
        self._panels.close()
        self.box.close()

    def _done(self, variant: str, share: float) -> float:
        return (self._variants.index(variant) + share) / len(self._variants)

    def _share_scale(self, row: Row) -> None:
        """All panels have the same scales, or side by side would mislead."""
        highest = [max(row[1] or 0, row[2] or 0), max(row[4] or 0, row[5] or 0)]
        tops = [
            old if value <= old else nice(value)
            for old, value in zip(self._tops, highest, strict=True)
        ]
        if tops != self._tops:
            self._tops = tops
            self._panels.y_max = list(tops)


def nice(value: float) -> float:
    """The next round number above, so that a scale grows in few steps."""
    size = 10.0 ** len(str(int(value))) / 10
    return float(next(step * size for step in _NICE if step * size >= value))


def _panels(variants: list[str]) -> LiveChart:
    many = len(variants)
    height = 150 if many < 3 else 105
    return LiveChart(variants, SERIES, span=10.0, window_s=600.0, height=height, layout=_grid(many))


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
