"""Sliders and buttons of the live view, and the orders that they give."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import anywidget
import traitlets

if TYPE_CHECKING:
    from unblocked.show.compare._measure import Plan

Order = Literal["start", "stop", "keep"]
_ORDERS: tuple[Order, ...] = get_args(Order)
_MOST = {"users": 300.0, "fan_out": 20.0, "delay": 2.0}
_STEPS = (0.05, 0.01, 0.001)  # Seconds between two delays; a slider can show no other.


class Controls(anywidget.AnyWidget):
    """Controls for users, fan-out and delay, a progress bar, and the buttons.

    They are the browser's own, so that mouse, keyboard and touch all work. *Start* brings the
    numbers that the browser shows with it: what is measured can be nothing else. Orders arrive in
    a queue of the loop that made the controls.
    """

    _esm = Path(__file__).with_name("controls.js").read_text(encoding="utf-8")
    _css = Path(__file__).with_name("controls.css").read_text(encoding="utf-8")

    fields = traitlets.List(traitlets.Dict()).tag(sync=True)
    values = traitlets.Dict().tag(sync=True)
    running = traitlets.Bool(True).tag(sync=True)
    interactive = traitlets.Bool(False).tag(sync=True)
    progress = traitlets.Float(0.0).tag(sync=True)
    says = traitlets.Unicode("Starting …").tag(sync=True)

    def __init__(self, plan: Plan, *, interactive: bool) -> None:
        self._plan = plan
        self._loop = asyncio.get_running_loop()
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        fields = [
            _field("users", "Users", plan.users, 1, 1),
            _field("fan_out", "Fan-out", plan.fan_out, 1, 1),
            _field("delay", "Upstream's delay, s", plan.delay, 0, _step(plan.delay)),
        ]
        there = [field for field in fields if field is not None]
        super().__init__(
            fields=there,
            values={field["key"]: field["value"] for field in there},
            interactive=interactive,
        )
        self.on_msg(self._pressed)

    def plan(self) -> Plan:
        """Return the load that the controls showed when *Start* was pressed last."""
        return self._plan

    async def order(self) -> Order:
        """Wait for the next button that is pressed."""
        return await self._orders.get()

    def _pressed(self, _widget: object, message: Any, _buffers: object) -> None:
        """Queue the order of a button. Older kernels call this in another thread with
        another loop.
        """
        wish = message.get("order") if isinstance(message, dict) else None
        for order in _ORDERS:
            if order == wish:
                if order == "start":
                    self._plan = self._plan_with(message.get("values") or {})
                self._loop.call_soon_threadsafe(self._orders.put_nowait, order)

    def _plan_with(self, values: dict[str, Any]) -> Plan:
        """Return the plan with these numbers, each within its bounds."""
        new: dict[str, Any] = {}
        for field in self.fields:
            value = values.get(field["key"])
            if isinstance(value, int | float):
                within = min(max(value, field["min"]), field["max"])
                new[field["key"]] = float(within) if field["key"] == "delay" else round(within)
        return replace(self._plan, **new)


def _field(
    key: str, label: str, value: float | None, least: float, step: float
) -> dict[str, Any] | None:
    """Return what the browser needs to draw one control; None for what cannot be varied."""
    if value is None:
        return None
    most = max(_MOST[key], value)
    return {"key": key, "label": label, "value": value, "min": least, "max": most, "step": step}


def _step(value: float | None) -> float:
    """Return the largest step that `value` is a multiple of."""
    fits = (step for step in _STEPS if abs(round((value or 0) / step) * step - (value or 0)) < 1e-9)
    return next(fits, _STEPS[-1])
