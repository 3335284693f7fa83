"""`compare`: variants of an app under the same load, watched while they run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from unblocked._interrupt import interruptible
from unblocked.show._frontend import Slot, has_front_end
from unblocked.show.compare._measure import ROUNDS, Bench, Plan, Watcher

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unblocked.rig import Upstream
    from unblocked.show.compare._comparison import Comparison
    from unblocked.show.compare._controls import Controls, Order
    from unblocked.show.compare._liveview import LiveView


@interruptible
async def compare(
    variants: Mapping[str, Any],
    *,
    upstream: Upstream | None = None,
    users: int = 50,
    fan_out: int | None = None,
    delay: float | None = None,
    seconds: float = 3.0,
    rounds: int = ROUNDS,
    path: str = "/",
    beside: Comparison | None = None,
    interactive: bool = False,
    loop: str = "asyncio",
    http: str = "h11",
) -> Comparison:
    """Put the same load on each variant in turn, and show what it cost.

    The variants take turns, A B C A B C. In each of its rounds a variant is served anew and warmed
    up: every user is answered once, so that imports and the opening of connections do not count.
    Shown are the medians of the rounds, with the slowest and the quickest; threads, memory and
    sockets are the largest of any round.

    Args:
        variants: name → ASGI app; served by this process, one after the other.
        upstream: whom the apps call; its calls in flight are shown, and its delay can be varied.
        users: callers at the same time; each asks again when it is answered.
        fan_out: sent to the apps as the query `?fan_out=N`, for apps that read it.
        delay: seconds until `upstream` answers; left as it is when None.
        seconds: how long each variant gets load that counts, in all its rounds together. Warm-ups
            and the last answers of each round come on top.
        rounds: how often each variant gets its turn.
        path: what is asked for.
        beside: an earlier result. It is drawn beside these variants, in the live view as well as
            in picture and table; `earlier.only("a", "b")` is a part of it. Where its load was
            another, its variants are named with that.
        interactive: keep the live view until *Keep* is pressed. The first run starts at once, and
            *Start* measures again with the numbers that the controls show. Only where there is
            somebody to press it; elsewhere there is one run.
        loop, http: as in `serve`.

    Returns:
        What was measured of `variants`. The live view, where there is one, gives way to a picture
        and a table with the same numbers. *Stop* ends a run early and keeps what was measured.

    Raises:
        ValueError: no variants, `delay` without an `upstream`, or a load that cannot be made.
    """
    if not variants:
        raise ValueError("compare needs at least one variant: compare({'name': app})")
    if delay is not None and upstream is None:
        raise ValueError("delay is the upstream's: give compare the upstream, too")

    if rounds < 1 or seconds <= 0 or users < 1:
        raise ValueError(
            "compare needs at least one round, one user and some seconds, "
            f"not rounds={rounds}, users={users}, seconds={seconds:g}"
        )

    if upstream is not None and delay is None:
        delay = upstream.delay
    plan = Plan(users, seconds, fan_out, delay, path, rounds)
    bench = Bench(variants, upstream, {"loop": loop, "http": http})
    slot = Slot()
    result = await _measure_and_show(bench, plan, slot, beside, interactive=interactive)
    result.mark_shown()
    slot.put(result.bundle())
    return result


async def _measure_and_show(
    bench: Bench, plan: Plan, slot: Slot, beside: Comparison | None, *, interactive: bool
) -> Comparison:
    if not has_front_end():
        result = await bench.run(plan, Watcher(), asyncio.Event())
        result.beside = beside
        return result
    from unblocked.show.compare._controls import Controls
    from unblocked.show.compare._liveview import LiveView

    controls = Controls(plan, interactive=interactive)
    view = LiveView(list(bench.variants), controls, slot, beside)
    view.show()
    try:
        return await _session(bench, controls, view, beside, interactive=interactive)
    finally:
        view.close()


async def _session(
    bench: Bench,
    controls: Controls,
    view: LiveView,
    beside: Comparison | None = None,
    *,
    interactive: bool,
) -> Comparison:
    """Measure until a run has ended by itself or by *Stop*; with `interactive`, until *Keep*."""
    order: Order = "start"
    while True:
        if order == "start":
            result, order = await _until_next_order(bench, controls, view)
            result.beside = beside
        if order == "start":
            continue
        if not interactive or order == "keep":
            return result
        view.rest(result)
        order = await controls.order()


async def _until_next_order(
    bench: Bench, controls: Controls, view: LiveView
) -> tuple[Comparison, Order]:
    """Run once, to the end or to the press of a button; return the result and the button."""
    stop = asyncio.Event()
    running = asyncio.ensure_future(bench.run(controls.plan(), view, stop))
    pressed = asyncio.ensure_future(controls.order())

    try:
        await asyncio.wait({running, pressed}, return_when=asyncio.FIRST_COMPLETED)
        # A run that is stopped ends by itself, with what it has measured.
        stop.set()
        result = await running
        return result, pressed.result() if pressed.done() else "stop"
    finally:
        running.cancel()
        pressed.cancel()
        await asyncio.gather(running, pressed, return_exceptions=True)
