"""The live panel: what travels to the browser, and that it does not grow for ever."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from unblocked.show.compare.livechart import LiveChart, Series

SERIES = (Series("threads", plot="counts"), Series("memory", "MB"), Series("p50", "ms", "latency"))


class Sent(LiveChart):
    """Keeps what it would send."""

    def __init__(self, **traits: Any) -> None:
        self.messages: list[Any] = []
        super().__init__(("threads", "await"), SERIES, **traits)

    def send(self, content: Any, buffers: Any = None) -> None:
        self.messages.append(content)


@pytest.fixture
def chart() -> Sent:
    return Sent(window_s=10.0)


def test_series_are_grouped_into_plots_and_the_others_are_numbers(chart: Sent) -> None:
    assert chart.plots == [
        {"label": "counts", "indices": [0]},
        {"label": "latency", "indices": [2]},
    ]
    assert [series["style"] for series in chart.series] == [0, None, 1]


def test_only_new_rows_are_sent(chart: Sent) -> None:
    chart.add({"await": [(0.0, 1, 2.0, None)]})
    chart.add({"await": [(0.1, 2, 2.0, 5.0), (0.2, 3, 2.0, 5.0)]})
    assert chart.messages == [
        {"k": "add", "rows": [[], [(0.0, 1, 2.0, None)]]},
        {"k": "add", "rows": [[], [(0.1, 2, 2.0, 5.0), (0.2, 3, 2.0, 5.0)]]},
    ]


def test_rows_of_several_panels_travel_in_one_message(chart: Sent) -> None:
    chart.add({"await": [(0.1, 2, 2.0, 5.0)], "threads": [(0.2, 3, 2.0, 5.0)]})
    assert chart.messages == [{"k": "add", "rows": [[(0.2, 3, 2.0, 5.0)], [(0.1, 2, 2.0, 5.0)]]}]


def test_adding_nothing_sends_nothing(chart: Sent) -> None:
    chart.add({})
    chart.add({"await": []})
    assert chart.messages == []


def test_rows_for_no_panel_are_an_error(chart: Sent) -> None:
    with pytest.raises(KeyError, match="nobody"):
        chart.add({"nobody": [(0.0, 1, 2.0, None)]})
    assert chart.messages == []


def test_a_browser_that_comes_late_gets_all_rows(chart: Sent) -> None:
    chart._handle_custom_msg({"k": "hello"}, [])
    assert chart.messages == []
    chart.add({"threads": [(0.0, 1, 2.0, None)]})
    chart.add({"await": [(0.1, 1, 2.0, None)]})
    chart._handle_custom_msg({"k": "hello"}, [])
    assert chart.messages[-1] == {
        "k": "set",
        "rows": [[(0.0, 1, 2.0, None)], [(0.1, 1, 2.0, None)]],
    }


def test_half_an_hour_at_ten_hertz_keeps_only_the_window(chart: Sent) -> None:
    for tick in range(18_000):
        chart.messages.clear()
        chart.add({"await": [(tick / 10, tick, 0.0, None)]})
    assert len(chart.rows["await"]) == 101
    assert len(json.dumps(chart.messages)) < 100


def test_rows_of_several_threads_are_all_kept(chart: Sent) -> None:
    def feed() -> None:
        for _ in range(200):
            chart.add({"await": [(1.0, 1, 1.0, 1.0)]})

    threads = [threading.Thread(target=feed) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(chart.rows["await"]) == len(chart.messages) == 800


def test_a_word_is_said_beside_one_title_or_all(chart: Sent) -> None:
    chart.say("waiting")
    chart.say("running", "await")
    assert chart.states == ["waiting", "running"]


def test_the_description_tells_latest_and_largest(chart: Sent) -> None:
    assert chart.describe("await") == "await: nothing measured yet"
    chart.add({"await": [(0.0, 251, 2.0, None), (0.1, 3, 1.0, None)]})
    said = chart.describe("await")
    assert said.startswith("await. threads: latest 3, largest 251")
    assert "p50: latest -, largest -" in said
    assert chart.describe("threads") == "threads: nothing measured yet"


def test_clearing_empties_both_sides(chart: Sent) -> None:
    chart.add({"await": [(0.0, 1, 2.0, None)]})
    chart.clear()
    assert chart.rows == {"threads": [], "await": []}
    assert chart.messages[-1] == {"k": "clear"}


def test_the_module_is_a_factory_and_needs_no_network() -> None:
    source = str(LiveChart._esm)
    assert "as default}" in source
    assert "MIT licence" in source.splitlines()[0]
    assert "https://" not in source.replace("http://www.w3.org/2000/svg", "")
    assert "import(" not in source
