"""Whether processes can still move by themselves: what Linux tells of each thread's system call.

A thread is quiescent if it has not run since the last look and is in a system call that only
others can end. A process is, if all its threads are: what they wait for comes from outside, or at
the end of a timeout, which the call's arguments hold or point to. To wait longer for it is useless
then, and no wall clock has to decide that.

On other systems, and for threads in any other call, it is not known: they may move at once.
"""

from __future__ import annotations

import math
import os
import platform
import struct
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from unblocked.grading.sandbox import processes

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Call(NamedTuple):
    """A system call, by its number on each machine; None where there is none."""

    name: str
    x86_64: int | None
    aarch64: int | None
    ends: str = "unknown"
    """When it ends by itself: never, or by a timeout in one of these forms."""
    argument: int = 0
    """Which argument is the timeout, or points to it."""
    blocks: bool = False
    """Whether the thread of an asyncio loop has no business to sleep in it. In a futex it has: a
    thread that waits for the GIL stands in one, too."""


_CALLS = (
    # The name, its number on x86_64 and on aarch64 (<asm/unistd.h>), and how it ends by itself.
    _Call("read", 0, 63, "never"),
    _Call("write", 1, 64, "never"),
    _Call("connect", 42, 203, "never", blocks=True),
    _Call("accept", 43, 202, "never"),
    _Call("accept4", 288, 242, "never"),
    _Call("sendto", 44, 206, "never"),
    _Call("recvfrom", 45, 207, "never", blocks=True),
    _Call("sendmsg", 46, 211, "never"),
    _Call("recvmsg", 47, 212, "never", blocks=True),
    _Call("wait4", 61, 260, "never", blocks=True),
    _Call("waitid", 247, 95, "never", blocks=True),
    _Call("poll", 7, None, "milliseconds", 2, blocks=True),
    _Call("epoll_wait", 232, None, "milliseconds", 3),
    _Call("epoll_pwait", 281, 22, "milliseconds", 3),
    _Call("nanosleep", 35, 101, "timespec", 0, blocks=True),
    _Call("pselect6", 270, 72, "timespec", 4, blocks=True),
    _Call("ppoll", 271, 73, "timespec", 2, blocks=True),
    _Call("epoll_pwait2", 441, 441, "timespec", 3),
    _Call("futex", 202, 98, "futex"),
    _Call("clock_nanosleep", 230, 115, "clock", blocks=True),
    _Call("select", 23, None, blocks=True),
    _Call("rt_sigtimedwait", 128, 137, blocks=True),
)
_WAIT, _WAIT_BITSET, _COMMAND, _BY_REALTIME = 0, 9, 0x7F, 256  # of <linux/futex.h>
_ABSOLUTE = 1  # TIMER_ABSTIME
_TIMESPEC = struct.Struct("=qq")  # seconds, nanoseconds
_ANOTHER = _Call("another", None, None)
_TELLS = os.path.exists("/proc/self/schedstat")
_BY_NUMBER = {
    number: call
    for call in _CALLS
    if _TELLS and (number := getattr(call, platform.machine(), None)) is not None
}
"""The calls of this machine; none where the system does not tell."""
_FOR_EVER = 0xFFFFFFFF  # -1, as an int
_now = time.monotonic
MOST_THREADS = 300
"""Beyond so many it is not known: looking at all of them would keep the marker busy."""


def is_known() -> bool:
    """Return whether this system tells in which call a thread stands."""
    return bool(_BY_NUMBER)


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
        """Return for how many seconds the process and all that descend from it will not move by
        themselves.

        0.0 when one may at any time. Process `but` does not count. Tells from what the last look
        saw: a thread that has run since, or is new, may move.
        """
        if not _BY_NUMBER:
            return 0.0
        folders = list(islice(_folders(pid, but), MOST_THREADS + 1))
        ran = [folder for folder in folders if self._has_run(folder)]
        if ran or not folders or len(folders) > MOST_THREADS:
            return 0.0
        return max(0.0, min(map(self._seconds_of, folders)))

    def blocking_call(self, pid: int) -> str:
        """Return the system call in which the main thread sleeps although its loop should turn, or
        ''.

        It stood in the same one when this was asked before, and has not run since: so no call that
        only passes by is taken for a wait.
        """
        folder = f"/proc/{pid}/task/{pid}"
        call, _ = _call_of(folder)
        sleeps = call.blocks and processes.state(folder) == "S"  # else it is on its way through
        name = call.name if sleeps else ""
        now = (name, processes.text(f"{folder}/schedstat")) if name else ("", "")
        before, self._stood_in = self._stood_in, now
        return name if name and before == now else ""

    def _has_run(self, folder: str) -> bool:
        """Return whether a thread may have run since the last look, or is new."""
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
    """Return when a thread's system call, begun after `since`, ends by itself; 0.0 when it is not
    known.

    Both by the monotonic clock (s).
    """
    call, values = _call_of(folder)
    match call.ends:
        case "never":
            return math.inf
        case "milliseconds":
            milliseconds = values[call.argument] & _FOR_EVER
            return math.inf if milliseconds == _FOR_EVER else since + milliseconds / 1000
        case "timespec":
            return since + _seconds_at(folder, values[call.argument])
        case "futex":
            return _end_of_futex(folder, since, *values[1:4])
        case "clock":
            clock, flags, request = values[:3]
            return _by(clock, since, bool(flags & _ABSOLUTE), _seconds_at(folder, request))
        case _:
            return 0.0


def _call_of(folder: str) -> tuple[_Call, list[int]]:
    """Return the system call in which a thread stands, and the arguments of one that is known."""
    number, *arguments = processes.text(f"{folder}/syscall").split() or ("running",)
    call = _BY_NUMBER.get(int(number), _ANOTHER) if number.isdigit() else _ANOTHER
    return call, [int(argument, 16) for argument in arguments]


def _end_of_futex(folder: str, since: float, operation: int, _: int, timeout: int) -> float:
    seconds, command = _seconds_at(folder, timeout), operation & _COMMAND
    if command not in (_WAIT, _WAIT_BITSET):
        return 0.0
    clock = time.CLOCK_REALTIME if operation & _BY_REALTIME else time.CLOCK_MONOTONIC
    return _by(clock, since, command == _WAIT_BITSET, seconds)


def _by(clock: int, since: float, absolute: bool, seconds: float) -> float:
    """Return a time (s) by this clock, or so many seconds after `since`, converted to the monotonic
    clock.
    """
    if not absolute:
        return since + seconds
    if clock not in (time.CLOCK_REALTIME, time.CLOCK_MONOTONIC):
        return 0.0
    return seconds - time.clock_gettime(clock) + _now()


def _seconds_at(folder: str, address: int) -> float:
    """Return the time at this address in a thread's memory; infinity for null, 0.0 if it is not
    known.
    """
    if not address:
        return math.inf
    try:
        fd = os.open(f"{folder}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0.0

    try:
        # A timeout in memory can be read only there: /proc/PID/syscall gives its address.
        seconds, nanoseconds = _TIMESPEC.unpack(os.pread(fd, _TIMESPEC.size, address))
    except (OSError, OverflowError, struct.error):
        return 0.0
    finally:
        os.close(fd)

    total: float = seconds + nanoseconds / 1e9
    return total
