"""The system calls that no answer needs, and how each is refused: a filter in the kernel.

The rules are a table. The filter made of them is a program for the small machine that Linux has for
this: it loads words of what it is given, compares them, and returns what becomes of the call. It
cannot follow pointers, so a rule can look at numbers alone.
"""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass

# Of <linux/seccomp.h>, <linux/audit.h> and <linux/filter.h>.
_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16  # where they lie in what a filter is given
_ALLOW, _ANSWER = 0x7FFF0000, 0x00050000
_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_FIRST_UNKNOWN = 463
"""From this call on (of Linux 6.13) it is as if the kernel were older; x32 has its calls there."""
_DONE = 0
"""Instead of an `errno`: nothing happens, and the caller is told that it did."""

# Arguments: of <linux/sched.h>, <linux/fcntl.h>, <sys/socket.h>, <sys/mman.h> and <linux/fs.h>.
_NEW_NAMESPACES = 0x7E020000
_SETLEASE, _NOTIFY = 1024, 1026
_INET, _INET6, _NETLINK = 2, 10, 16  # glibc lists the own network's interfaces by the last
_STREAM, _SEQPACKET = 1, 5
_SHARED_ANONYMOUS = 0x21
_SET_FLAGS, _SET_ATTRIBUTES = 0x40086602, 0x401C5820

_FORMAT = "HBBI"
STEP = struct.calcsize(_FORMAT)

_Step = tuple[int, int, int, int]
"""What to do, how many steps to skip if it is so and if it is not, and a number to do it with."""


@dataclass(frozen=True)
class _If:
    """A condition on the lower 32 bits of one of a call's arguments, counted from 0."""

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF
    """The bits that are compared."""
    among: bool = True
    """Whether the rule is for these values, or for all others."""

    def steps(self, then: _Step, otherwise: _Step) -> list[_Step]:
        """Return the steps that test the condition and go on with `then` or `otherwise`."""
        tests = [(_EQUAL, len(self.values) - n, 0, v) for n, v in enumerate(self.values)]
        ends = [otherwise, then] if self.among else [then, otherwise]
        return [
            (_LOAD, 0, 0, _ARGUMENTS + 8 * self.argument),
            (_AND, 0, 0, self.mask),
            *tests,
            *ends,
        ]


@dataclass(frozen=True)
class _Rule:
    """How a call is answered, by its number on each machine; None where there is none."""

    x86_64: int | None
    aarch64: int | None
    when: _If | None = None
    answer: int = errno.EPERM

    def steps(self, machine: str) -> list[_Step]:
        """Return the steps that answer the call on this machine; none where it has no such call."""
        number = self.x86_64 if machine == "x86_64" else self.aarch64
        if number is None:
            return []
        refused, allowed = (_RETURN, 0, 0, _ANSWER | self.answer), (_RETURN, 0, 0, _ALLOW)
        body = self.when.steps(refused, allowed) if self.when else [refused]
        return [(_EQUAL, 0, len(body), number), *body]


_RULES = (
    # Memory that is in no process's resident size.
    _Rule(319, 279),  # memfd_create
    _Rule(447, 447),  # memfd_secret
    _Rule(9, 222, _If(3, (_SHARED_ANONYMOUS,), mask=_SHARED_ANONYMOUS)),  # mmap
    _Rule(29, 194),  # shmget
    _Rule(64, 190),  # semget
    _Rule(68, 186),  # msgget
    _Rule(240, 180),  # mq_open
    _Rule(206, 0),  # io_setup
    _Rule(298, 241),  # perf_event_open
    _Rule(321, 280),  # bpf
    _Rule(323, 282),  # userfaultfd: it could hold up the kernel in the midst of another call
    # Keys of the session: add_key, request_key, keyctl.
    *(_Rule(248 + n, 217 + n) for n in range(3)),
    # Services outside that listen at a path, and virtual machines: where a path leads, Landlock
    # does not ask. A pair may stay, unless one of it could be connected anew or send elsewhere.
    _Rule(41, 198, _If(0, (_INET, _INET6, _NETLINK), among=False)),  # socket
    _Rule(53, 199, _If(1, (_STREAM, _SEQPACKET), mask=0xF, among=False)),  # socketpair
    _Rule(425, 425),  # io_uring_setup: it could do all of this by itself
    # Privileges in namespaces of its own. The flags of clone3 cannot be seen: without it, libraries
    # take clone.
    _Rule(56, 220, _If(0, (0,), mask=_NEW_NAMESPACES, among=False)),  # clone
    _Rule(435, 435, answer=errno.ENOSYS),  # clone3
    _Rule(272, 97),  # unshare
    _Rule(308, 268),  # setns
    # What may be done to a file that cannot be written: have others wait for it, watch it, …
    _Rule(72, 25, _If(1, (_SETLEASE, _NOTIFY))),  # fcntl
    _Rule(253, None),  # inotify_init
    _Rule(294, 26),  # inotify_init1
    _Rule(300, 262),  # fanotify_init
    # … and change its owner, its attributes,
    _Rule(92, None),  # chown
    _Rule(93, 55),  # fchown
    _Rule(94, None),  # lchown
    _Rule(260, 54),  # fchownat
    *(_Rule(188 + n, 5 + n) for n in range(3)),  # setxattr, lsetxattr, fsetxattr
    *(_Rule(197 + n, 14 + n) for n in range(3)),  # removexattr, lremovexattr, fremovexattr
    _Rule(16, 29, _If(1, (_SET_FLAGS, _SET_ATTRIBUTES))),  # ioctl
    # mode and times. `shutil.copy` does so with files that are an answer's own, hence no error.
    _Rule(90, None, answer=_DONE),  # chmod
    _Rule(91, 52, answer=_DONE),  # fchmod
    _Rule(268, 53, answer=_DONE),  # fchmodat
    _Rule(452, 452, answer=_DONE),  # fchmodat2
    _Rule(132, None, answer=_DONE),  # utime
    _Rule(235, None, answer=_DONE),  # utimes
    _Rule(261, None, answer=_DONE),  # futimesat
    _Rule(280, 88, answer=_DONE),  # utimensat
)


def _program() -> bytes:
    machine = platform.machine()
    if machine not in _MACHINES:
        return b""
    steps = [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 1, 0, _MACHINES[machine]),
        (_RETURN, 0, 0, _ANSWER | errno.EPERM),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _FIRST_UNKNOWN),
        (_RETURN, 0, 0, _ANSWER | errno.ENOSYS),
        *(step for rule in _RULES for step in rule.steps(machine)),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack(_FORMAT, *step) for step in steps)


PROGRAM = _program()
"""The filter for this machine, `STEP` bytes a step; empty on machines that it does not know."""
