"""`Meter`: what was added while something ran."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from rig_waiting import until

from unblocked.rig import Meter

if TYPE_CHECKING:
    from unblocked.rig import Upstream


def seen(meter: Meter, samples: int = 2) -> None:
    """Wait for fresh samples."""
    wanted = len(meter.rows) + samples
    until(lambda: len(meter.rows) >= wanted)


def test_threads_that_were_added_are_seen() -> None:
    release = threading.Event()
    threads = [threading.Thread(target=release.wait) for _ in range(20)]
    with Meter(interval=0.01) as meter:
        for thread in threads:
            thread.start()
        seen(meter)
        release.set()
        for thread in threads:
            thread.join()
    assert meter.added.threads == 20
    assert meter.peak.threads == meter.first.threads + 20


def test_sockets_that_were_added_are_seen() -> None:
    with Meter(interval=0.01) as meter:
        before = meter.first.sockets
        sockets = [socket.socket() for _ in range(30)]
        until(lambda: meter.latest.sockets == before + 30)
        for one in sockets:
            one.close()
    assert meter.added.sockets == 30


def test_memory_and_cpu() -> None:
    with Meter(interval=0.01) as meter:
        block = bytearray(os.urandom(1)) * 50_000_000
        began = time.process_time()
        while time.process_time() - began < 0.1:
            pass
        seen(meter)
    assert len(block) == 50_000_000
    assert meter.added.rss > 40_000_000
    assert meter.latest.cpu >= 0.1
    assert "memory: " in str(meter)


def test_a_served_app_lends_its_lag_and_requests() -> None:
    app = SimpleNamespace(lag=0.5, in_flight=3)
    with Meter(server=app) as meter:
        pass
    assert (meter.peak.lag, meter.peak.in_flight) == (0.5, 3)


def test_another_process(upstream: Upstream) -> None:
    with Meter(upstream.pid) as meter:
        pass
    assert meter.first.threads >= 2
    assert meter.first.rss > 1_000_000


def test_a_process_that_ends_ends_the_samples() -> None:
    import subprocess

    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        meter = Meter(child.pid, interval=0.01).start()
        seen(meter)
        child.communicate(b"\n")
    meter.stop()
    assert meter.peak.threads >= 1


def test_a_long_run_keeps_few_samples_and_every_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unblocked.rig.meter._MOST_ROWS", 10)
    app = _App()
    meter = Meter(server=app, interval=0.001).start()
    first = meter.first
    until(lambda: app.asked > 30)
    meter.stop()
    assert len(meter.rows) <= 10
    assert meter.first is first
    assert meter.peak.lag == 12.0
    assert meter.latest.lag == 0.0


class _App:
    """Late once, at the twelfth look."""

    in_flight = 0
    asked = 0

    @property
    def lag(self) -> float:
        self.asked += 1
        return 12.0 if self.asked == 12 else 0.0


def test_no_such_process() -> None:
    with pytest.raises(ProcessLookupError, match="no process"):
        Meter(2**30).start()


def test_not_started() -> None:
    with pytest.raises(RuntimeError, match="not been started"):
        Meter().peak  # noqa: B018


def test_starting_again_begins_anew() -> None:
    meter = Meter()
    with meter:
        pass
    with meter:
        pass
    assert meter.first.at < meter.latest.at
    assert len(meter.rows) >= 2
    meter.stop()
