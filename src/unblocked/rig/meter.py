"""Measures what a process uses: threads, memory, sockets, CPU, event-loop lag."""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import psutil

_SOCKETS_SHARE = 0.02
_MOST_ROWS = 6_000


class _Served(Protocol):
    """A served app, as far as a meter needs it."""

    @property
    def lag(self) -> float: ...
    @property
    def in_flight(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process uses at one moment."""

    at: float
    """Seconds since the meter started."""
    threads: int
    """Threads, as the system counts them."""
    rss: int
    """Resident memory in bytes."""
    sockets: int
    """Open sockets."""
    cpu: float
    """Seconds of CPU used since the meter started."""
    lag: float
    """Seconds by which the served app's event loop is late; 0 without a server."""
    in_flight: int
    """Requests that the served app is answering; 0 without a server."""


class Meter:
    """Samples a process (this one by default) every 50 ms, from a thread.

    With `server`, the event-loop lag and the requests in flight of that served app, too. Use it as
    a context manager, or `start()` and `stop()`. The meter's own thread is in every sample, the
    first one included, so it never counts as added.
    """

    def __init__(
        self,
        pid: int | None = None,
        *,
        server: _Served | None = None,
        interval: float = 0.05,
    ) -> None:
        self._pid = pid if pid is not None else os.getpid()
        self._server = server
        self._interval = interval
        self._enough = threading.Event()
        self._thread: threading.Thread | None = None
        self.rows: list[Sample] = []
        """The samples, the newest last. Of 6,000 every other one is dropped, so that a meter can
        run for hours; `peak` knows them all."""
        self._peak: Sample | None = None

    def start(self) -> Self:
        """Begin; the first sample is there on return. Raises `ProcessLookupError` without such a
        process.
        """
        import psutil

        try:
            self._process = psutil.Process(self._pid)
        except psutil.NoSuchProcess as error:
            raise ProcessLookupError(f"there is no process {self._pid}") from error
        self._sockets = _Sockets(self._process)
        self.rows.clear()
        self._peak = None
        self._enough.clear()
        self._began = time.perf_counter()
        self._cpu_before = _cpu(self._process)
        first = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(first,), name="meter", daemon=True)
        self._thread.start()
        first.wait()
        return self

    def stop(self) -> None:
        """End, with a last sample. Stopping twice is fine."""
        self._enough.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def first(self) -> Sample:
        """What was there at the start."""
        return self._some()[0]

    @property
    def latest(self) -> Sample:
        """The newest sample."""
        return self._some()[-1]

    @property
    def peak(self) -> Sample:
        """The largest value of each field, whenever it was."""
        return self._peak or self.first

    @property
    def added(self) -> Sample:
        """The peak less what was there at the start."""
        first, peak = self.first, self.peak
        return Sample(*(getattr(peak, f.name) - getattr(first, f.name) for f in fields(Sample)))

    def __str__(self) -> str:
        first, peak, added = self.first, self.peak, self.added
        return (
            f"threads: {first.threads} at first, {peak.threads} at the peak\n"
            f"memory: {added.rss / 1e6:.1f} MB more at the peak\n"
            f"sockets: {first.sockets} at first, {peak.sockets} at the peak\n"
            f"CPU: {peak.cpu:.2f} s in {self.latest.at:.2f} s\n"
            f"event-loop lag: {peak.lag * 1000:.0f} ms at most"
        )

    def _some(self) -> list[Sample]:
        if not self.rows:
            raise RuntimeError("the meter has not been started")
        return self.rows

    def _run(self, first: threading.Event) -> None:
        import psutil

        try:
            self._take()
            first.set()
            while not self._enough.wait(self._interval):
                self._take()
            self._take()
        except psutil.NoSuchProcess:
            pass  # The measured process has ended: what was seen of it stays.
        finally:
            first.set()

    def _take(self) -> None:
        sample = self._sample()
        self.rows.append(sample)
        self._peak = _largest(self._peak, sample) if self._peak is not None else sample
        # Halved evenly, so that a picture of a long run keeps its shape.
        if len(self.rows) >= _MOST_ROWS:
            del self.rows[1:-1:2]

    def _sample(self) -> Sample:
        server = self._server
        return Sample(
            at=time.perf_counter() - self._began,
            threads=self._process.num_threads(),
            rss=self._process.memory_info().rss,
            sockets=self._sockets.count(),
            cpu=_cpu(self._process) - self._cpu_before,
            lag=server.lag if server is not None else 0.0,
            in_flight=server.in_flight if server is not None else 0,
        )


def _largest(one: Sample, other: Sample) -> Sample:
    return Sample(*(max(getattr(one, f.name), getattr(other, f.name)) for f in fields(Sample)))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


class _Sockets:
    """Counts the sockets of a process, no more often than costs 2 % of the time."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._count = 0
        self._next = 0.0

    def count(self) -> int:
        """Return the number of sockets; where there are many, it may be a little old."""
        began = time.perf_counter()
        if began >= self._next:
            self._count = _count_sockets(self._process)
            ended = time.perf_counter()
            self._next = ended + (ended - began) / _SOCKETS_SHARE
        return self._count


def _count_sockets(process: psutil.Process) -> int:
    if sys.platform == "linux":
        return _count_in_proc(f"/proc/{process.pid}/fd")
    import psutil

    try:
        return len(process.net_connections(kind="all"))
    except psutil.AccessDenied:  # macOS shows those of other processes to root only.
        return 0


def _count_in_proc(folder: str) -> int:
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                count += stat.S_ISSOCK(entry.stat().st_mode)
    return count
