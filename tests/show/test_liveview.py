"""The live view of a comparison, without a browser."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from unblocked.show._frontend import Slot
from unblocked.show.compare import _compare
from unblocked.show.compare._comparison import Comparison
from unblocked.show.compare._liveview import Controls, LiveView, nice
from unblocked.show.compare._measure import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

PLAN = Plan(users=50, seconds=3.0, fan_out=5, delay=0.2, path="/")
ROW = (1.0, 251, 250, 77.0, 500.0, 900.0, 12.0)


class SilentSlot(Slot):
    """Shows nothing, and remembers it."""

    def __init__(self) -> None:
        super().__init__()
        self.bundles: list[Any] = []

    def put(self, bundle: Any) -> None:
        self.bundles.append(bundle)


def in_a_loop(body: Callable[[], Any]) -> Any:
    async def run() -> Any:
        return body()

    return asyncio.run(run())


def make_view(names: tuple[str, ...] = ("threads", "await")) -> tuple[LiveView, Controls]:
    controls = Controls(PLAN, interactive=True)
    return LiveView(names, controls, SilentSlot()), controls


@pytest.mark.parametrize(
    ("value", "above"),
    [(0.3, 1), (1, 1), (3, 5), (7, 10), (10, 10), (11, 20), (240, 250), (251, 500), (1006, 2000)],
)
def test_scales_end_at_round_numbers(value: float, above: float) -> None:
    assert nice(value) == above


def test_sliders_change_the_plan() -> None:
    def body() -> None:
        controls = Controls(PLAN, interactive=False)
        assert controls.plan() == PLAN
        controls._users.value, controls._fan_out.value, controls._delay.value = 100, 2, 0.5
        assert controls.plan() == Plan(100, 3.0, 2, 0.5, "/")

    in_a_loop(body)


def test_what_cannot_be_varied_has_no_slider() -> None:
    def body() -> None:
        bare = Controls(Plan(5, 1.0, None, None, "/"), interactive=False)
        assert len(bare.box().children[0].children) == 1
        assert bare.plan() == Plan(5, 1.0, None, None, "/")

    in_a_loop(body)


def test_a_press_from_another_thread_arrives_on_the_loop() -> None:
    async def pressed() -> str:
        controls = Controls(PLAN, interactive=False)
        await asyncio.to_thread(controls._stop.click)
        return await controls.order()

    assert asyncio.run(pressed()) == "stop"


def test_panels_share_their_scales_and_the_bar_advances() -> None:
    def body() -> None:
        view, controls = make_view()
        view.begin(PLAN)
        view.started("threads")
        view.measured("threads", ROW)
        assert view._panels.y_max == [500.0, 1000.0]
        assert 0 < controls.progress.value < 0.5
        view.ended("threads", {})
        assert controls.progress.value == 0.5
        assert view._panels.states == ["done", "waiting"]
        view.close()

    in_a_loop(body)


def test_a_row_is_one_message_and_the_bar_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    def body() -> None:
        view, controls = make_view()
        view.begin(PLAN)
        bar: list[float] = []
        controls.progress.observe(lambda change: bar.append(change["new"]), "value")
        sent: list[Any] = []
        monkeypatch.setattr(view._panels, "_send", lambda message, **_: sent.append(message))
        for tick in range(35):
            view.measured("threads", (tick / 10, 3, 2, 77.0, 0.5, 0.9, 12.0))
        rows = [message for message in sent if message["method"] == "custom"]
        assert len(rows) == 35
        assert len(sent) - len(rows) <= 2, "the scales grow in few steps"
        assert 5 <= len(bar) <= 10
        view.close()

    in_a_loop(body)


class Bench:
    """Runs until it is stopped, or at once."""

    variants = ("one",)

    def __init__(self, *, endless: bool) -> None:
        self.endless, self.plans = endless, [PLAN][:0]
        self.running = asyncio.Event()

    async def run(self, plan: Plan, watcher: Any, stop: asyncio.Event) -> Comparison:
        self.plans.append(plan)
        watcher.begin(plan)
        self.running.set()
        if self.endless:
            await stop.wait()
        return Comparison(str(plan), [])


def run_session(bench_is_endless: bool, interactive: bool, *presses: str) -> list[Plan]:
    """Plays a session: each press comes when the run before it has begun or ended."""

    async def play() -> list[Plan]:
        bench, (view, controls) = Bench(endless=bench_is_endless), make_view(("one",))
        session = asyncio.ensure_future(
            _compare._session(bench, controls, view, interactive=interactive)  # type: ignore[arg-type]
        )
        for press in presses:
            if press != "start" or bench.plans:
                await bench.running.wait()
            if press == "start":
                bench.running.clear()
            getattr(controls, f"_{press}").click()
            await asyncio.sleep(0)
        await session
        view.close()
        return bench.plans

    return asyncio.run(asyncio.wait_for(play(), 30))


def test_a_run_ends_by_itself() -> None:
    assert len(run_session(False, False)) == 1


def test_stop_ends_the_run_and_the_cell() -> None:
    assert len(run_session(True, False, "stop")) == 1


def test_start_while_running_starts_again() -> None:
    assert len(run_session(True, False, "start", "stop")) == 2


def test_interactive_waits_for_start_and_goes_on_until_keep() -> None:
    assert len(run_session(False, True, "start", "keep")) == 1
