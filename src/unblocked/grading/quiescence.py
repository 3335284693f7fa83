"""Whether processes can still move by themselves: what Linux tells of each thread's system call.

A thread that has not run since the last look, and stands in a system call that only others can
end, is quiescent. So are processes all of whose threads are: what they wait for comes from outside,
or at the end of a timeout, which stands in the call's arguments. Then waiting longer is in vain,
and that is no guess by the clock.

Elsewhere, and for threads in any other call, it is not known: they may move at once.
"""

from __future__ import annotations

import math
import os
import platform
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unblocked.grading import processes

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
_POINTERS = {  # futex, select, pselect6, ppoll: where a timeout lies, or null
    "x86_64": {202: 3, 23: 4, 270: 4, 271: 2},
    "aarch64": {98: 3, 72: 4, 73: 2},
}
_MACHINE = platform.machine() if os.path.exists("/proc/self/schedstat") else ""
_NEVER = 0xFFFFFFFF  # -1, as an int


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
        self._begun = time.monotonic()

    def seconds(self, pid: int, *, but: int = 0) -> float:
        """For how long (s) the process and all that descend from it will not move by themselves.

        0.0 when one may at any time. Process `but` does not count. Tells from what the last look
        saw: a thread that has run since, or is new, may move.
        """
        if _MACHINE not in _UNTIMED:
            return 0.0
        least = None
        for folder in _folders(pid, but):
            still = self._seconds_of(folder, time.monotonic())
            least = still if least is None else min(least, still)
            if least <= 0:
                break  # there may be very many threads
        return max(0.0, least or 0.0)

    def _seconds_of(self, folder: str, now: float) -> float:
        ran, seen = processes.text(f"{folder}/schedstat"), self._threads.get(folder)
        if seen is None or seen.ran != ran:
            since = self._begun if seen is None else seen.looked
            self._threads[folder] = _Seen(ran, since, now)
            return 0.0
        seen.looked = now
        return seen.since + _timeout(processes.text(f"{folder}/syscall")) - now


def _folders(pid: int, but: int) -> Iterator[str]:
    for member, threads in processes.threads_of_family(pid):
        if member != but:
            yield from (f"/proc/{member}/task/{thread}" for thread in threads)


def _timeout(call: str) -> float:
    """The timeout (s) of a system call as `/proc/PID/syscall` has it; 0.0 when it is not known."""
    number, *arguments = call.split() or ("running",)
    if not number.isdigit():
        return 0.0
    values, what = [int(argument, 16) for argument in arguments], int(number)
    if what in _UNTIMED[_MACHINE]:
        return math.inf
    if what in _POINTERS[_MACHINE]:
        return 0.0 if values[_POINTERS[_MACHINE][what]] else math.inf
    if what in _MILLISECONDS[_MACHINE]:
        milliseconds = values[_MILLISECONDS[_MACHINE][what]] & _NEVER
        return math.inf if milliseconds == _NEVER else milliseconds / 1000
    return 0.0
