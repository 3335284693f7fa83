"""Whether processes can still move by themselves: what Linux tells of each thread's system call.

A thread that has not run since the last look, and stands in a system call that only others can
end, is quiescent. So are processes all of whose threads are: what they wait for comes from outside,
or at the end of a timeout, which stands in the call's arguments or where they point. Then waiting
longer is in vain, and that is no guess by the clock.

Elsewhere, and for threads in any other call, it is not known: they may move at once.
"""

from __future__ import annotations

import math
import os
import platform
import struct
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from unblocked.grading.sandbox import processes

if TYPE_CHECKING:
    from collections.abc import Iterator

# Numbers of each machine's <asm/unistd.h>, and at which argument the timeout stands.
_UNTIMED = {  # read, write, connect, accept(4), sendto, recvfrom, sendmsg, recvmsg, wait4, waitid
    "x86_64": (0, 1, 42, 43, 288, 44, 45, 46, 47, 61, 247),
    "aarch64": (63, 64, 203, 202, 242, 206, 207, 211, 212, 260, 95),
}
_MILLISECONDS = {  # poll, epoll_wait, epoll_pwait
    "x86_64": {7: 2, 232: 3, 281: 3},
    "aarch64": {22: 3},
}
_TIMESPECS = {  # nanosleep, pselect6, ppoll, epoll_pwait2: where the time lies, or null
    "x86_64": {35: 0, 270: 4, 271: 2, 441: 3},
    "aarch64": {101: 0, 72: 4, 73: 2, 441: 3},
}
_FUTEX = {"x86_64": 202, "aarch64": 98}
_CLOCK_NANOSLEEP = {"x86_64": 230, "aarch64": 115}
_BLOCKING = {
    "x86_64": {
        7: "poll",
        23: "select",
        35: "nanosleep",
        42: "connect",
        45: "recvfrom",
        47: "recvmsg",
        61: "wait4",
        128: "rt_sigtimedwait",
        230: "clock_nanosleep",
        247: "waitid",
        270: "pselect6",
        271: "ppoll",
    },
    "aarch64": {
        72: "pselect6",
        73: "ppoll",
        95: "waitid",
        101: "nanosleep",
        115: "clock_nanosleep",
        137: "rt_sigtimedwait",
        203: "connect",
        207: "recvfrom",
        212: "recvmsg",
        260: "wait4",
    },
}
"""Calls in which the thread of an asyncio loop has no business to sleep. A futex is not among them:
a thread that waits for the GIL stands in one, too."""
_WAIT, _WAIT_BITSET, _COMMAND, _BY_REALTIME = 0, 9, 0x7F, 256  # of <linux/futex.h>
_ABSOLUTE = 1  # TIMER_ABSTIME
_TIMESPEC = struct.Struct("=qq")  # seconds, nanoseconds
_MACHINE = platform.machine() if os.path.exists("/proc/self/schedstat") else ""
_NEVER = 0xFFFFFFFF  # -1, as an int
_now = time.monotonic
MOST_THREADS = 300
"""Beyond so many it is not known: looking at all of them would keep the marker busy."""


def is_known() -> bool:
    """Whether this system tells in which call a thread stands."""
    return _MACHINE in _UNTIMED


@dataclass
class _Seen:
    """A thread as it was last looked at."""

    ran: str
    """What the system says of the time that it has had: another text when it has run since."""
    since: float
    """When it had certainly not begun its system call yet, by the monotonic clock."""
    looked: float
    """When it was looked at."""


class Quiescence:
    """Looks at processes again and again, since a single look says nothing."""

    def __init__(self) -> None:
        self._threads: dict[str, _Seen] = {}
        self._begun = _now()
        self._stood_in = ("", "")

    def seconds(self, pid: int, *, but: int = 0) -> float:
        """For how long (s) the process and all that descend from it will not move by themselves.

        0.0 when one may at any time. Process `but` does not count. Tells from what the last look
        saw: a thread that has run since, or is new, may move.
        """
        if _MACHINE not in _UNTIMED:
            return 0.0
        folders = list(islice(_folders(pid, but), MOST_THREADS + 1))
        ran = [folder for folder in folders if self._has_run(folder)]
        if ran or not folders or len(folders) > MOST_THREADS:
            return 0.0
        return max(0.0, min(map(self._seconds_of, folders)))

    def blocking_call(self, pid: int) -> str:
        """The system call in which the main thread sleeps although its loop should turn, or ''.

        It stood in the same one when this was asked before, and has not run since: so no call that
        only passes by is taken for a wait.
        """
        names = _BLOCKING.get(_MACHINE, {})
        folder = f"/proc/{pid}/task/{pid}"
        number = processes.text(f"{folder}/syscall").split(maxsplit=1)[:1]
        name = names.get(int(number[0]), "") if number and number[0].isdigit() else ""
        if name and processes.state(folder) != "S":
            name = ""  # it waits for a core, on its way through the call
        now = (name, processes.text(f"{folder}/schedstat")) if name else ("", "")
        before, self._stood_in = self._stood_in, now
        return name if name and before == now else ""

    def _has_run(self, folder: str) -> bool:
        """Whether a thread may have run since the last look, or is new."""
        ran, seen, now = processes.text(f"{folder}/schedstat"), self._threads.get(folder), _now()
        if seen is None or seen.ran != ran:
            since = self._begun if seen is None else seen.looked
            self._threads[folder] = _Seen(ran, since, now)
            return True
        seen.looked = now
        return False

    def _seconds_of(self, folder: str) -> float:
        seen = self._threads[folder]
        return _end(folder, seen.since) - seen.looked


def _folders(pid: int, but: int) -> Iterator[str]:
    for member, threads in processes.threads_of_family(pid):
        if member != but:
            yield from (f"/proc/{member}/task/{thread}" for thread in threads)


def _end(folder: str, since: float) -> float:
    """When a thread's system call, begun after `since`, ends by itself; 0.0 when it is not known.

    Both by the monotonic clock (s).
    """
    number, *arguments = processes.text(f"{folder}/syscall").split() or ("running",)
    if not number.isdigit():
        return 0.0
    what, values = int(number), [int(argument, 16) for argument in arguments]
    if what in _UNTIMED[_MACHINE]:
        return math.inf
    if what in _MILLISECONDS[_MACHINE]:
        milliseconds = values[_MILLISECONDS[_MACHINE][what]] & _NEVER
        return math.inf if milliseconds == _NEVER else since + milliseconds / 1000
    if what in _TIMESPECS[_MACHINE]:
        return since + _seconds_at(folder, values[_TIMESPECS[_MACHINE][what]])
    if what == _FUTEX[_MACHINE]:
        return _end_of_futex(folder, since, *values[1:4])
    if what == _CLOCK_NANOSLEEP[_MACHINE]:
        clock, flags, request = values[:3]
        return _by(clock, since, bool(flags & _ABSOLUTE), _seconds_at(folder, request))
    return 0.0


def _end_of_futex(folder: str, since: float, operation: int, _: int, timeout: int) -> float:
    seconds, command = _seconds_at(folder, timeout), operation & _COMMAND
    if command not in (_WAIT, _WAIT_BITSET):
        return 0.0
    clock = time.CLOCK_REALTIME if operation & _BY_REALTIME else time.CLOCK_MONOTONIC
    return _by(clock, since, command == _WAIT_BITSET, seconds)


def _by(clock: int, since: float, absolute: bool, seconds: float) -> float:
    """A time (s) by this clock, or so many seconds after `since`, as the monotonic clock has it."""
    if not absolute:
        return since + seconds
    if clock not in (time.CLOCK_REALTIME, time.CLOCK_MONOTONIC):
        return 0.0
    return seconds - time.clock_gettime(clock) + _now()


def _seconds_at(folder: str, address: int) -> float:
    """The time that lies there in a thread's memory; infinite for null, 0.0 if it is not known."""
    if not address:
        return math.inf
    try:
        fd = os.open(f"{folder}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0.0
    try:
        seconds, nanoseconds = _TIMESPEC.unpack(os.pread(fd, _TIMESPEC.size, address))
    except (OSError, OverflowError, struct.error):
        return 0.0
    finally:
        os.close(fd)
    total: float = seconds + nanoseconds / 1e9
    return total
