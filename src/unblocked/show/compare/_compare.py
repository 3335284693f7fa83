"""`compare`: variants of an app under the same load, watched while they run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from unblocked._interrupt import interruptible
from unblocked.show._frontend import Slot, has_front_end
from unblocked.show.compare._measure import Bench, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unblocked.rig import Upstream
    from unblocked.show.compare._comparison import Comparison
    from unblocked.show.compare._liveview import LiveView
    from unblocked.show.compare._measure import Watcher
    from unblocked.show.compare._table import Numbers
    from unblocked.show.compare.livechart import Row


@interruptible
async def compare(
    variants: Mapping[str, Any],
    *,
    upstream: Upstream | None = None,
    users: int = 50,
    fan_out: int | None = None,
    delay: float | None = None,
    seconds: float = 3.0,
    path: str = "/",
    interactive: bool = False,
    loop: str = "asyncio",
    http: str = "h11",
) -> Comparison:
    """Serve each variant in turn, put the same load on it, and show what it cost.

    Args:
        variants: name → ASGI app; each is served by this process, one after the other.
        upstream: whom the apps call; its calls in flight are shown, and its delay can be varied.
        users: callers at the same time; each asks again when it is answered.
        fan_out: sent to the apps as the query `?fan_out=N`, for apps that read it.
        delay: seconds until `upstream` answers; left as it is when None.
        seconds: how long each variant gets load.
        path: what is asked for.
        interactive: wait for Start, and run again and again until Keep is pressed. Only where
            there is somebody to press it; elsewhere there is one run.
        loop, http: as in `serve`.

    The live view, where there is one, gives way to a picture and a table with the same numbers.
    *Stop* ends a run early and keeps what was measured.

    Raises:
        ValueError: no variants, or `delay` without an `upstream`.
    """
    if not variants:
        raise ValueError("compare needs at least one variant: compare({'name': app})")
    if delay is not None and upstream is None:
        raise ValueError("delay is the upstream's: give compare the upstream, too")
    if upstream is not None and delay is None:
        delay = upstream.delay
    plan = Plan(users, seconds, fan_out, delay, path)
    bench = Bench(variants, upstream, {"loop": loop, "http": http})
    slot = Slot()
    result = await _watched(bench, plan, slot, interactive=interactive)
    result.mark_shown()
    slot.put(result.bundle())
    return result


async def _watched(bench: Bench, plan: Plan, slot: Slot, *, interactive: bool) -> Comparison:
    if not has_front_end():
        return await bench.run(plan, _Nobody(), asyncio.Event())
    from unblocked.show.compare._liveview import Controls, LiveView

    controls = Controls(plan, interactive=interactive)
    view = LiveView(list(bench.variants), controls, slot)
    view.show()
    try:
        return await _session(bench, controls, view, interactive=interactive)
    finally:
        view.close()


async def _session(bench: Bench, controls: Any, view: LiveView, *, interactive: bool) -> Comparison:
    """Runs until one has ended by itself or by Stop; with `interactive`, until Keep."""
    result: Comparison | None = None
    order = await controls.order() if interactive else "start"
    while order != "keep" or result is None:
        if order == "start":
            result, order = await _until_next_order(bench, controls, view)
            if order == "start":
                continue
            if not interactive:
                break
            view.rest(result)
        order = await controls.order()
    return result


async def _until_next_order(bench: Bench, controls: Any, view: Watcher) -> tuple[Comparison, str]:
    """One run: to its end, or to the press of a button, which is the second of the pair."""
    stop = asyncio.Event()
    running = asyncio.ensure_future(bench.run(controls.plan(), view, stop))
    pressed = asyncio.ensure_future(controls.order())
    try:
        await asyncio.wait({running, pressed}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        result = await running
        return result, pressed.result() if pressed.done() else "ended"
    finally:
        running.cancel()
        pressed.cancel()
        await asyncio.gather(running, pressed, return_exceptions=True)


class _Nobody:
    """Watches nothing."""

    def begin(self, plan: Plan) -> None: ...

    def started(self, variant: str) -> None: ...

    def measured(self, variant: str, row: Row) -> None: ...

    def ended(self, variant: str, numbers: Numbers) -> None: ...
