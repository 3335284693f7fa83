"""Isolates a process by Linux's namespaces and Landlock, by system calls.

Only this module makes these calls; everything here needs Linux, and says so by raising OSError
where the kernel or a container refuses.
"""

from __future__ import annotations

import ctypes
import functools
import os
import socket
import stat
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from unblocked.grading.sandbox.child import seccomp

if TYPE_CHECKING:
    from collections.abc import Iterable

# Numbers of <linux/sched.h>, <linux/prctl.h>, <linux/landlock.h> and <asm/unistd.h>.
_NEWNS, _NEWIPC, _NEWUSER = 0x00020000, 0x08000000, 0x10000000
_NEWPID, _NEWNET = 0x20000000, 0x40000000
_NOSUID_NODEV, _RECURSIVE, _SLAVE = 0x6, 0x4000, 0x80000
_MOUNT_SETATTR, _HERE, _AND_BELOW, _READ_ONLY = 442, -100, 0x8000, 1
_PDEATHSIG, _SUBREAPER, _NO_NEW_PRIVS = 1, 36, 38
_SET_SECCOMP, _FILTER = 22, 2
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_SIOCSIFFLAGS, _IFF_UP_AND_RUNNING = 0x8914, 0x41
_READ = 0b1101  # execute, read a file, read a folder
_ON_FILES = 1 | 2 | 4 | 1 << 14 | 1 << 15  # execute, write, read, truncate, ioctl
_CAPABILITY_VERSION = 0x20080522  # the third, of <linux/capability.h>
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *args: object) -> int:
    result: int = getattr(_libc(), name)(*args)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that forked it ends."""
    _call("prctl", _PDEATHSIG, 9, 0, 0, 0)


def adopt_orphans() -> None:
    """Make this process the parent of all descendants whose own parent has ended."""
    _call("prctl", _SUBREAPER, 1, 0, 0, 0)


def enter_namespaces() -> None:
    """Move to user, network, ipc, mount and pid namespaces; the next fork is pid 1 in them."""
    uid, gid = os.getuid(), os.getgid()
    _call("unshare", _NEWUSER | _NEWNET | _NEWIPC | _NEWNS | _NEWPID)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"1000 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"1000 {gid} 1")
    _raise_loopback()


def has_users_of_its_own() -> bool:
    """Return whether this process is in a user namespace, where its processes are counted apart."""
    return Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"]


def make_read_only() -> None:
    """Make all that is mounted in this namespace so far read-only, down to modes and times.

    What a process has had open since before, such as the program that it runs, is not so to it.

    Raises:
        OSError: the kernel (before Linux 5.12) or one of the mounts does not allow this.
    """
    attributes = struct.pack("4Q", _READ_ONLY, 0, 0, 0)
    _call("syscall", _MOUNT_SETATTR, _HERE, b"/", _AND_BELOW, attributes, len(attributes))


def mount_in_memory(folder: str, size: int) -> None:
    """Cover a folder with an empty one of `size` bytes that goes when this namespace goes."""
    # Without this, the new mount would appear outside of the namespace, too.
    _call("mount", None, b"/", None, _RECURSIVE | _SLAVE, None)
    options = f"size={size},nr_inodes=8k,mode=0700".encode()
    _call("mount", b"tmpfs", folder.encode(), b"tmpfs", _NOSUID_NODEV, options)


def _raise_loopback() -> None:
    import fcntl

    with socket.socket() as sock:
        request = struct.pack("16sh", b"lo", _IFF_UP_AND_RUNNING).ljust(40, b"\0")
        fcntl.ioctl(sock, _SIOCSIFFLAGS, request)


class _Ruleset(ctypes.Structure):
    """The kernel's `struct landlock_ruleset_attr`."""

    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    """The kernel's `struct landlock_path_beneath_attr`."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("fd", ctypes.c_int32))


def landlock_version() -> int:
    """Return the kernel's Landlock version; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, 0, 1)))


def handle(path: str) -> int | None:
    """Return a descriptor that names `path` for `landlock` and gives no other access; None if there
    is no such path.
    """
    try:
        return os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def landlock(readable: Iterable[int], writable: Iterable[int]) -> None:
    """Let this process and its children read and write only below these handles, for good.

    Raises:
        OSError: the kernel has no Landlock.
    """
    version = landlock_version()
    # Each version knows more rights; the kernel refuses a ruleset with rights that it does not
    # know.
    rights = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    scoped = _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0
    ruleset = _Ruleset(rights, 0, scoped)
    size = ctypes.sizeof(ruleset) if version >= 6 else 8
    fd = _call("syscall", _CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    _allow(fd, readable, _READ & rights)
    _allow(fd, writable, rights)
    _call("prctl", _NO_NEW_PRIVS, 1, 0, 0, 0)
    _call("syscall", _RESTRICT_SELF, fd, 0)
    os.close(fd)


def drop_capabilities() -> None:
    """Give up, for good, what the own user namespace gave: raw sockets, the network's settings.

    Needs `landlock` before it, so that starting a program does not give them back.
    """
    _call("capset", struct.pack("Ii", _CAPABILITY_VERSION, 0), bytes(24))


class _Program(ctypes.Structure):
    """The kernel's `struct sock_fprog`: a seccomp filter."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def refuse_calls() -> None:
    """Refuse this process, for good, the system calls that no answer needs (see `seccomp`).

    Needs `landlock` before it, which gives up new privileges. On machines that it does not know
    it does nothing.

    Raises:
        OSError: the kernel has no seccomp filters.
    """
    if seccomp.PROGRAM:
        program = _Program(len(seccomp.PROGRAM) // seccomp.STEP, seccomp.PROGRAM)
        _call("prctl", _SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0)


def _allow(ruleset: int, handles: Iterable[int], rights: int) -> None:
    for fd in handles:
        allowed = rights if stat.S_ISDIR(os.fstat(fd).st_mode) else rights & _ON_FILES
        _call("syscall", _ADD_RULE, ruleset, 1, ctypes.byref(_PathRule(allowed, fd)), 0)
