"""What the live chart costs the kernel, whether it disturbs what it shows, and how Stop ends it."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from queue import Empty
from statistics import median
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import start_new_kernel

from bench.report import Report, middle, significant, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.report import Row, Size

_UPDATES = {"tiny": 5, "quick": 150, "full": 600}
_MINUTES = {"tiny": 1, "quick": 30, "full": 30}
_PAIRS = {"tiny": 1, "quick": 11, "full": 31}
_SECONDS = {"tiny": 0.3, "quick": 2.0, "full": 3.0}
_PATIENCE = 300.0
_EVERY = 0.1

_CHARTS = """
import gc, json, psutil, time
from unblocked.show.compare.livechart import LiveChart, Series
names = ("threads", "in flight", "p50", "p99")
series = [Series(name, plot="counts" if i < 2 else "ms") for i, name in enumerate(names)]
titles = ("threads", "await")[:{many}]
chart = LiveChart(titles, series, window_s=60.0)

def update(number):
    row = (number / 10, 100 + number % 50, 250 - number % 70, 201.5, 412.7 + number % 9)
    chart.add({{title: [row] for title in titles}})

def cpu_of(updates, work, pause):
    began = time.process_time()
    for number in range(updates):
        work(number)
        time.sleep(pause)
    return time.process_time() - began
"""
_COST = """
update(0)  # What is loaded late is loaded now.
idle = cpu_of({updates}, lambda number: None, {pause})
busy = cpu_of({updates}, update, {pause})
print(json.dumps(1000 * (busy - idle) / {updates}))
"""
_MEMORY = """
resident = []
for minute in range({minutes}):
    for number in range(600):
        update(600 * minute + number)
        time.sleep(0 if number % 10 else 0.005)  # The kernel's messages have to get out.
    gc.collect()
    resident.append(psutil.Process().memory_info().rss / 1e6)
print(json.dumps([resident, [len(rows) for rows in chart.rows.values()]]))
"""
_APPS = """
import asyncio, json, os, psutil, threading
from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen
from unblocked import Upstream, compare
upstream = Upstream(delay=0.2)

async def at_once(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})

async def waits(scope, receive, send):
    assert scope["type"] == "http"
    await asyncio.sleep(upstream.delay)
    await at_once(scope, receive, send)

async def threads(scope, receive, send):
    assert scope["type"] == "http"
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(5) as pool:
        calls = [loop.run_in_executor(pool, urlopen, upstream.url) for _ in range(5)]
        await asyncio.gather(*calls)
    await at_once(scope, receive, send)
"""
_LOAD = """
os.environ["UNBLOCKED_WIDGETS"] = "{chart}"
found = await compare({{"it": {app}}}, users={users}, seconds={seconds})
print(json.dumps(found.rows[0]["answers_per_second"]))
"""
_STOPPED = """
os.environ["UNBLOCKED_WIDGETS"] = "1"
upstream.delay = {delay}
await compare({{"it": {app}}}, upstream=upstream, users=20, seconds=3600)
"""
_LEFT = """
upstream.reset()
names = {"compare", "meter", "load reports", "serve it"}
left = [thread.name for thread in threading.enumerate() if thread.name in names]
tasks = [task for task in asyncio.all_tasks() if "unblocked" in repr(task)]
print(json.dumps(len(left) + len(tasks) + len(psutil.Process().children()) - 1))  # The upstream.
"""


def study(size: Size) -> Report:
    """CPU, bytes and memory of an update, the load with and without a chart, and Stop."""
    many = _UPDATES[size]
    costs = [_cost(1, _EVERY, many), _cost(2, _EVERY, many), _cost(2, 0.0, 10 * many)]
    memory = _memory(_MINUTES[size])
    with _kernel() as kernel:
        kernel.run(_APPS)
        disturbed = [
            _with_and_without(kernel, "at_once", 20, size),
            _with_and_without(kernel, "waits", 50, size),
        ]
        stops = [_stop(kernel, app, delay) for app in ("waits", "threads") for delay in (0.2, 10.0)]
        kernel.run("upstream.stop()")
    return Report(
        title="What the live chart costs",
        rows=costs,
        notes=[
            "Panels of four series in a real kernel, ten updates a second; an update is a new row "
            "for each panel, in one message for all. CPU is the kernel's, less that of the same "
            "loop without charts; bytes are whole messages, with headers and signatures. `compare` "
            "runs one variant at a time, so its messages carry a row of one panel. Without pauses "
            "the processor's caches are warm: the rest is the price of waking up.",
            "Thirty minutes of charting are simulated: rows come as quickly as the kernel sends "
            "them; each panel keeps a minute.",
            "The same app gets the same load with the live view and without it, in turns. "
            "`at_once` is bound by the kernel's CPU, so it shows what the chart takes from it.",
            "Stop is pressed as a browser does it, by the button's message, while the cell awaits; "
            "`left` counts threads, tasks and processes that remain.",
        ],
        tables={
            "Memory over simulated minutes": memory,
            "Answers a second, with and without the chart": disturbed,
            "Stop": stops,
        },
        figures={
            "kernel CPU for an update of one panel, ms": costs[0]["cpu_ms_per_update"],
            "kernel CPU for an update of both panels, ms": costs[1]["cpu_ms_per_update"],
            "bytes for an update of both panels": costs[1]["bytes_per_update"],
            "seconds from Stop to the end of the cell, at most": max(
                row["seconds"] for row in stops
            ),
        },
    )


def _cost(many: int, pause: float, updates: int) -> Row:
    with _kernel() as kernel:
        kernel.run(_CHARTS.format(many=many))
        code = _COST.format(pause=pause, updates=updates)
        milliseconds = json.loads(kernel.run(code))
        sizes = [size for kind, size in kernel.sent if kind == "comm_msg"][1:]
    return {
        "panels": many,
        "pause_s": pause,
        "updates": updates,
        "cpu_ms_per_update": significant(milliseconds, 2),
        "bytes_per_update": round(sum(sizes) / updates),
    }


def _memory(minutes: int) -> list[Row]:
    with _kernel() as kernel:
        kernel.run(_CHARTS.format(many=2))
        resident, kept = json.loads(kernel.run(_MEMORY.format(minutes=minutes)))
    at = sorted({1, 2, 5, 10, 20, minutes} & set(range(1, minutes + 1)))
    return [
        {
            "minutes": minute,
            "kernel_mb": significant(resident[minute - 1], 4),
            "rows_kept": max(kept),
        }
        for minute in at
    ]


def _with_and_without(kernel: _Kernel, app: str, users: int, size: Size) -> Row:
    """Pairs in changing order, so that a drift of the machine hits both alike."""

    def once(chart: int) -> float:
        code = _LOAD.format(chart=chart, app=app, users=users, seconds=_SECONDS[size])
        return float(json.loads(kernel.run(code)))

    once(1)
    found: dict[int, list[float]] = {0: [], 1: []}
    for turn in range(_PAIRS[size]):
        for chart in (0, 1) if turn % 2 else (1, 0):
            found[chart].append(once(chart))
    ratios = [with_it / without for without, with_it in zip(found[0], found[1], strict=True)]
    return {
        "app": app,
        "users": users,
        "without": middle(found[0], 3),
        "with": middle(found[1], 3),
        "ratio": significant(median(ratios), 3),
        "spread": spread([significant(ratio, 3) for ratio in ratios]),
        "pairs": len(ratios),
    }


def _stop(kernel: _Kernel, app: str, delay: float) -> Row:
    """Press Stop once the chart has been drawing for some updates; seconds until the cell ends."""
    kernel.begin(_STOPPED.format(app=app, delay=delay))
    button = kernel.widget("description", "Stop")
    chart = kernel.widget("titles", ["it"])
    kernel.await_updates(chart, 10)
    began = time.perf_counter()
    kernel.press(button)
    kernel.end()
    seconds = time.perf_counter() - began
    return {
        "app": app,
        "upstream_delay_s": delay,
        "seconds": significant(seconds, 3),
        "left": int(json.loads(kernel.run(_LEFT))),
    }


class _Kernel:
    """A kernel as a browser has it: code goes in, messages come out and are weighed."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.sent: list[tuple[str, int]] = []
        """Kind and bytes of each message since the last `run` began."""
        self._opened: dict[str, dict[str, Any]] = {}
        self._printed: list[str] = []
        self._asked = ""

    def run(self, code: str) -> str:
        """Run code to its end; returns what it printed. Raises `RuntimeError` when it fails."""
        self.begin(code)
        return self.end()

    def begin(self, code: str) -> None:
        """Run code and do not wait."""
        self.sent, self._printed, self._opened = [], [], {}
        self._asked = self._client.execute(code)

    def end(self) -> str:
        """Wait for the end of what `begin` began."""
        self._read_until(lambda message: self._is_over(message))
        return "".join(self._printed)

    def widget(self, trait: str, value: str | list[str]) -> str:
        """The id of a widget that the code has made, by one of its traits."""

        def there(_: Any = None) -> bool:
            return any(state.get(trait) == value for state in self._opened.values())

        if not there():
            self._read_until(there)
        return next(who for who, state in self._opened.items() if state.get(trait) == value)

    def await_updates(self, chart: str, many: int) -> None:
        """Wait for so many rows of a chart."""
        for _ in range(many):
            self._read_until(lambda message: message["content"].get("comm_id") == chart)

    def press(self, button: str) -> None:
        """Click a button as the browser does."""
        click = {"method": "custom", "content": {"event": "click"}}
        message = self._client.session.msg("comm_msg", {"comm_id": button, "data": click})
        self._client.shell_channel.send(message)

    def _read_until(self, found: Callable[[Any], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                message = self._client.get_iopub_msg(timeout=5)
            except Empty:
                continue
            self._note(message)
            if found(message):
                return
        raise RuntimeError("the kernel went silent")

    def _note(self, message: Any) -> None:
        kind, content = message["msg_type"], message["content"]
        self.sent.append((kind, sum(map(len, self._client.session.serialize(message)))))
        if kind == "stream" and content["name"] == "stdout":
            self._printed.append(content["text"])
        elif kind == "comm_open":
            self._opened[content["comm_id"]] = content["data"].get("state", {})
        elif kind == "error":
            raise RuntimeError(f"{content['ename']}: {content['evalue']}")

    def _is_over(self, message: Any) -> bool:
        ours = message["parent_header"].get("msg_id") == self._asked
        return bool(ours and message["content"].get("execution_state") == "idle")


@contextmanager
def _kernel() -> Iterator[_Kernel]:
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        yield _Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
