"""The live view of a comparison, without a browser."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from unblocked.show._frontend import Slot
from unblocked.show.compare import _compare
from unblocked.show.compare._comparison import Comparison
from unblocked.show.compare._controls import Controls
from unblocked.show.compare._liveview import LiveView, nice
from unblocked.show.compare._measure import Plan
from unblocked.show.compare._picture import Curve

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


def press(controls: Controls, order: str, **values: float) -> None:
    """What the browser sends for a button."""
    controls._handle_custom_msg({"order": order, "values": values}, [])


def test_start_measures_with_the_numbers_that_came_with_it() -> None:
    def body() -> None:
        controls = Controls(PLAN, interactive=False)
        assert controls.plan() == PLAN
        controls.values = {"users": 7, "fan_out": 5, "delay": 0.2}  # on its way, and late
        press(controls, "start", users=100, fan_out=2, delay=0.5)
        assert controls.plan() == Plan(100, 3.0, 2, 0.5, "/")

    in_a_loop(body)


def test_numbers_out_of_bounds_are_brought_within() -> None:
    def body() -> None:
        controls = Controls(PLAN, interactive=False)
        press(controls, "start", users=10**6, fan_out=-1, delay=1, nonsense=3)
        assert controls.plan() == Plan(300, 3.0, 1, 1.0, "/")

    in_a_loop(body)


def test_what_cannot_be_varied_has_no_control() -> None:
    def body() -> None:
        bare = Controls(Plan(5, 1.0, None, None, "/"), interactive=False)
        assert [field["key"] for field in bare.fields] == ["users"]
        press(bare, "start", users=6, delay=1.0)
        assert bare.plan() == Plan(6, 1.0, None, None, "/")

    in_a_loop(body)


def test_a_press_from_another_thread_arrives_on_the_loop() -> None:
    async def pressed() -> str:
        controls = Controls(PLAN, interactive=False)
        press(controls, "nonsense")
        await asyncio.to_thread(press, controls, "stop")
        return await controls.order()

    assert asyncio.run(pressed()) == "stop"


def test_panels_share_their_scales_and_the_bar_advances() -> None:
    def body() -> None:
        view, controls = make_view()
        view.begin(PLAN)
        view.warming("threads", 1)
        assert view._panels.states == ["warming up", "waiting"]
        assert controls.says == "Round 1 of 3: threads is warming up"
        view.counting("threads", 1)
        view.measured("threads", ROW)
        assert view._panels.y_max == [500.0, 1000.0]
        assert view._panels.states == ["round 1", "waiting"]
        assert 0 < controls.progress < 1 / 6
        view.ended("threads", 1)
        assert controls.progress == 1 / 6
        assert view._panels.states == ["waiting", "waiting"]
        view.counting("await", 3)
        view.ended("await", 3)
        assert view._panels.states == ["waiting", "done"]
        view.close()

    in_a_loop(body)


def test_what_was_measured_before_has_panels_on_the_same_scale() -> None:
    def body() -> None:
        controls = Controls(PLAN, interactive=True)
        curve = Curve("await", [1.0], [251], [250], [ROW])
        before = Comparison("10 users", [{"variant": "await"}], curves=[curve])
        view = LiveView(["await", "threads"], controls, SilentSlot(), before)
        view.begin(PLAN)
        assert view._panels.titles == ["await (before)", "await", "threads"]
        assert view._panels.states == ["before", "waiting", "waiting"]
        assert view._panels.rows["await (before)"] == [ROW]
        assert view._panels.y_max == [500.0, 1000.0]
        view.close()

    in_a_loop(body)


def test_a_row_is_one_message_and_the_bar_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    def body() -> None:
        view, controls = make_view()
        view.begin(PLAN)
        bar: list[float] = []
        controls.observe(lambda change: bar.append(change["new"]), "progress")
        sent: list[Any] = []
        monkeypatch.setattr(view._panels, "_send", lambda message, **_: sent.append(message))
        view.warming("threads", 1)
        for tick in range(35):
            view.measured("threads", (tick / 10, 3, 2, 77.0, 0.5, 0.9, 12.0))
        rows = [message for message in sent if message["method"] == "custom"]
        assert len(rows) == 35
        assert len(sent) - len(rows) <= 2, "the scales grow in few steps"
        assert 2 <= len(bar) <= 10
        view.close()

    in_a_loop(body)


class Bench:
    """Runs until it is stopped, or at once."""

    variants = ("one",)

    def __init__(self, *, endless: bool) -> None:
        self.endless = endless
        self.plans: asyncio.Queue[Plan] = asyncio.Queue()

    async def run(self, plan: Plan, watcher: Any, stop: asyncio.Event) -> Comparison:
        watcher.begin(plan)
        self.plans.put_nowait(plan)
        if self.endless:
            await stop.wait()
        return Comparison(str(plan), [])


async def rests(controls: Controls) -> None:
    """Wait until no measurement is running."""
    rested = asyncio.Event()
    controls.observe(lambda change: change["new"] or rested.set(), "running")
    if controls.running:
        await rested.wait()


def run_session(bench_is_endless: bool, interactive: bool, *presses: str) -> tuple[list[Plan], Any]:
    """Play a session: each press comes when the run before it has begun."""

    async def play() -> tuple[list[Plan], Any]:
        bench, (view, controls) = Bench(endless=bench_is_endless), make_view(("one",))
        session = asyncio.ensure_future(
            _compare._session(bench, controls, view, interactive=interactive)  # type: ignore[arg-type]
        )
        plans = [await bench.plans.get()]
        for order in presses:
            if interactive and not bench_is_endless:
                await rests(controls)
            press(controls, order, users=len(plans))
            if order == "start":
                plans.append(await bench.plans.get())
        result = await session
        view.close()
        return plans, result

    return asyncio.run(asyncio.wait_for(play(), 30))


def test_a_run_ends_by_itself() -> None:
    plans, _ = run_session(False, False)
    assert plans == [PLAN]


def test_stop_ends_the_run_and_the_cell() -> None:
    plans, _ = run_session(True, False, "stop")
    assert plans == [PLAN]


def test_start_while_running_starts_again() -> None:
    plans, result = run_session(True, False, "start", "stop")
    assert [plan.users for plan in plans] == [50, 1]
    assert result.title.startswith("1 user,")


def test_interactive_runs_at_once_and_goes_on_until_keep() -> None:
    plans, _ = run_session(False, True, "keep")
    assert plans == [PLAN]
    plans, result = run_session(False, True, "start", "start", "keep")
    assert [plan.users for plan in plans] == [50, 1, 2]
    assert result.title.startswith("2 users")


def test_stop_of_an_interactive_run_leaves_the_view_open() -> None:
    async def play() -> str:
        bench, (view, controls) = Bench(endless=True), make_view(("one",))
        session = asyncio.ensure_future(
            _compare._session(bench, controls, view, interactive=True)  # type: ignore[arg-type]
        )
        await bench.plans.get()
        press(controls, "stop")
        await rests(controls)
        said = str(controls.says)
        press(controls, "keep")
        await session
        view.close()
        return said

    assert "press Start" in asyncio.run(asyncio.wait_for(play(), 30))


@pytest.mark.parametrize("delay", [0.0, 0.2, 0.15, 0.33, 0.123])
def test_a_slider_can_show_the_delay_that_was_given(delay: float) -> None:
    async def step() -> float:
        controls = Controls(replace(PLAN, delay=delay), interactive=False)
        return next(float(field["step"]) for field in controls.fields if field["key"] == "delay")

    steps = delay / asyncio.run(step())
    assert steps == pytest.approx(round(steps))
