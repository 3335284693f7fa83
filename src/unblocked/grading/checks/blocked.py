"""Which threads of an answer stand in a system call on which of its connections. (Linux)

What a thread waits for can be seen from outside, and nothing in the answer's process can forge it:
the system says which call a thread is in, and which descriptor that call is about.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from unblocked.grading.sandbox import processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Set


def connections_blocked_on(pid: int, upstream: int, ports: Set[int]) -> int | None:
    """Connections of a process from these ports to the upstream's that a thread is blocked on.

    None where the system does not tell which system call a thread is in.
    """
    if not processes.text(f"/proc/{pid}/syscall"):
        return None
    sockets = {inode for port, inode in _connections(pid, upstream) if port in ports}
    return len(sockets.intersection(_arguments(pid)))


def _connections(pid: int, upstream: int) -> Iterator[tuple[int, str]]:
    """Local port and inode of each socket that is connected to the upstream's port."""
    for line in processes.text(f"/proc/{pid}/net/tcp").splitlines()[1:]:
        fields = line.split()
        here, there = (int(end.rpartition(":")[2], 16) for end in fields[1:3])
        if there == upstream:
            yield here, fields[9]


def _arguments(pid: int) -> Iterator[str]:
    """Inodes of the sockets that are the first argument of the system calls of its threads."""
    for member, threads in processes.threads_of_family(pid):
        for thread in threads:
            call = processes.text(f"/proc/{member}/task/{thread}/syscall").split()
            if len(call) > 1 and call[0].isdigit():
                yield _inode(member, int(call[1], 16))


def _inode(pid: int, descriptor: int) -> str:
    try:
        target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
    except (OSError, OverflowError):
        return ""
    return target.removeprefix("socket:[").removesuffix("]")
