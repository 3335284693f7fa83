"""Reads what the system says about a process, as cheaply as it can be done many times a second.

On Linux that is `/proc`; elsewhere psutil is asked.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Set

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PROC = Path("/proc/self/statm").exists()
_LISTENING, _LOOPBACK = "0A", bytes((127, 0, 0, 1))
_MUCH = 1 << 16


def threads(pid: int, *, but: str = "") -> int:
    """Return how many threads the process has, without those of this name (Linux); 0 when it has
    gone.
    """
    if _PROC:
        found = tasks(pid)
        if not but or len(found) == 1:
            return len(found)
        return sum(text(f"/proc/{pid}/task/{task}/comm").strip() != but for task in found)
    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).num_threads())
    return 0


def runs_for_itself(pid: int) -> bool:
    """Return whether a child runs and is not the one that tracks shared memory. (Linux)

    One that has ended is there until somebody asks how: no command line is left of it.
    """
    command = text(f"/proc/{pid}/cmdline")
    return not _PROC or (bool(command) and "multiprocessing.resource_tracker" not in command)


def resident(pid: int) -> int:
    """Return the resident bytes of the process; 0 when it has gone."""
    if _PROC:
        return _number(f"/proc/{pid}/statm", 1) * _PAGE
    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def resident_with_children(pid: int) -> int:
    """Return the resident bytes of the process and all that descend from it."""
    return sum(map(resident, family(pid)))


def threads_with_children(pid: int) -> int:
    """Return how many threads the process and all that descend from it have."""
    return sum(map(threads, family(pid)))


def family(pid: int) -> list[int]:
    """Return the process and all that descend from it, however deep."""
    if not _PROC:
        with contextlib.suppress(psutil.Error):
            return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        return [pid]
    return [member for member, _ in threads_of_family(pid)]


def threads_of_family(pid: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the process and all that descend from it, each with its threads. (Linux)"""
    family = [pid]
    for member in family:  # grows while it is read
        threads = tasks(member)
        yield member, threads
        family += _children(member, threads)


def asleep(pid: int) -> bool:
    """Return whether no thread of the process wants the CPU: all wait for something."""
    if _PROC:
        return all(_state(f"/proc/{pid}/task/{tid}/stat") != "R" for tid in tasks(pid))
    return _rests(pid)


@dataclass(frozen=True)
class _Look:
    """What a process had used at a moment (both in seconds), and whether it rested before."""

    moment: float
    used: float
    rested: bool = False


_looks: dict[int, _Look] = {}
_SHORTEST = 0.03
"""Seconds between looks: the clocks of CPU time go in steps of half as much."""
_BUSY = 0.1
"""Share of a core from which on a process works: an idle server takes a hundredth of that."""


def _rests(pid: int) -> bool:
    """Return whether the process took next to no CPU since the last look.

    The states that Windows and macOS give say nothing: there every process is running.
    """
    now, used = time.monotonic(), cpu_seconds(pid)
    last = _looks.setdefault(pid, _Look(now, used))
    if now - last.moment > _SHORTEST:
        last = _looks[pid] = _Look(now, used, used - last.used < _BUSY * (now - last.moment))
    return last.rested


def cpu_seconds(pid: int) -> float:
    """Return seconds of CPU that the process has used; 0.0 when it has gone."""
    if _PROC:
        ticks = text(f"/proc/{pid}/stat").rpartition(")")[2].split()[11:13]
        return sum(map(int, ticks)) / _TICKS
    with contextlib.suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    return 0.0


_MOST_ROUNDS = 20
"""Searches for processes that may have started others meanwhile."""


def end_family(process: psutil.Process) -> None:
    """Kill the process and all that descend from it, by parents that are still there.

    Another process that has got its number meanwhile is left alone.
    """
    with contextlib.suppress(psutil.Error):
        for member in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                member.kill()


def end_marked(name: str, value: str) -> None:
    """Kill all processes of this user whose environment has this value, orphans too."""
    for _ in range(_MOST_ROUNDS):
        marked = [p for p in psutil.process_iter() if _has(p, name, value)]
        if not marked:
            return
        for process in marked:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(marked, timeout=1)


def _has(process: psutil.Process, name: str, value: str) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        marked = process.environ().get(name) == value
        return marked and process.status() != psutil.STATUS_ZOMBIE
    return False


def waited_for_cpu(pid: int) -> float:
    """Return for how many seconds the process's first thread was ready to run and had no core.

    0.0 where the system does not tell. (Linux: /proc/PID/schedstat, its second number.)
    """
    return _number(f"/proc/{pid}/schedstat", 1) / 1e9


@contextlib.contextmanager
def suspended(pid: int) -> Iterator[None]:
    """Stop the process for the block, and let it go on afterwards; one that has
    gone is left alone.
    """
    with contextlib.suppress(psutil.Error):
        psutil.Process(pid).suspend()
    try:
        yield
    finally:
        with contextlib.suppress(psutil.Error):
            psutil.Process(pid).resume()


def queued(pid: int, upstream: int, app: int, callers: Set[int]) -> int | None:
    """Return the bytes in the system's queues on their way from the upstream to the app and on to
    callers.

    All three are ports of the process's network, at 127.0.0.1. What was sent and not yet taken
    counts, and what came in and was not yet read; connections that only look alike do not. None
    where the system does not tell.
    """
    lines = text(f"/proc/{pid}/net/tcp").splitlines()[1:]
    source, door, ours = _end(upstream), _end(app), set(map(_end, callers))

    def on_the_way(line: str) -> int:
        _, here, there, state, queues = line.split()[:5]
        sent, received = queues.split(":")
        if state == _LISTENING:  # there the queue counts callers
            return 0
        if here == source or (here == door and there in ours):
            return int(sent, 16)
        if there == source or (there == door and here in ours):
            return int(received, 16)
        return 0

    return sum(map(on_the_way, lines)) if lines else None


def listening(pid: int, family: list[int]) -> set[str]:
    """Return the addresses at which these processes accept connections, such as "127.0.0.1".
    (Linux)

    They share a network with `pid`. Empty where the system does not tell.
    """
    own = {inode for member in family for inode in _socket_inodes(member)}
    found = set()
    for name, kind in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in text(f"/proc/{pid}/net/{name}").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and fields[9] in own:
                found.add(_address(fields[1].partition(":")[0], kind))
    return found


def _socket_inodes(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{pid}/fd/{name}")
                if target.startswith("socket:["):
                    yield target[8:-1]


def _address(words: str, kind: socket.AddressFamily) -> str:
    """Return an address that /proc/net writes as words of four bytes, each a number in memory."""
    numbers = (int(words[i : i + 8], 16) for i in range(0, len(words), 8))
    return socket.inet_ntop(kind, b"".join(n.to_bytes(4, sys.byteorder) for n in numbers))


def _end(port: int) -> str:
    """Return one end of a connection as /proc/net/tcp writes it."""
    return f"{int.from_bytes(_LOOPBACK, sys.byteorder):08X}:{port:04X}"


def sockets(pid: int) -> int:
    """Return how many sockets the process's network has; 0 where the system does not tell."""
    return _number(f"/proc/{pid}/net/sockstat", 2)


def tasks(pid: int) -> list[str]:
    """Return the numbers of the process's threads; none when it has gone. (Linux)"""
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def _children(pid: int, threads: list[str]) -> list[int]:
    found = (text(f"/proc/{pid}/task/{tid}/children") for tid in threads)
    return [int(child) for text in found for child in text.split()]


def _state(path: str) -> str:
    return text(path).rpartition(")")[2].strip()[:1]


def _number(path: str, index: int) -> int:
    fields = text(path).split()
    return int(fields[index]) if len(fields) > index else 0


def state(folder: str) -> str:
    """Return the state of a process or thread by its folder in `/proc`: R runs or wants to, S
    sleeps.
    """
    return text(f"{folder}/stat").rpartition(")")[2].strip()[:1]


def text(path: str) -> str:
    """Return the text of a file in `/proc`, twice as fast as by `open`; '' when
    it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return b"".join(iter(lambda: os.read(fd, _MUCH), b"")).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(fd)
