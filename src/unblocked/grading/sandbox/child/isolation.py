"""Isolates an answer: a ladder of levels, of which the best is taken that this system allows.

`namespaces+landlock`: no network but its own loopback, no other processes in sight, no file but
Python's to read and a scratch folder to write. `bubblewrap`: the same walls, built by a helper that
may do so where we may not (see `bubblewrap.py`). `landlock`: the files only, and no signal to
processes outside from Landlock's version 6 on (Linux 6.12). `limits`: memory, time and size limits
only: an answer could reach, kill or trace what runs as the same user. The first three need Linux;
the last is what every system has. Where there is Landlock, system calls that no answer needs are
refused, too (see `seccomp.py`), as it does not ask who connects to a service at a path, or changes
the mode of a file. That a file is there, and how large it is, can be seen all the same, unless
bubblewrap hides it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from unblocked.grading.sandbox.child import linux
from unblocked.grading.sandbox.child.levels import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGE = str(Path(__file__).resolve().parents[3])
"""This package's folder: no answer needs to read it once it has been imported."""

_SHARED_MEMORY = "/dev/shm"
_OWN = ("/proc/self",)
"""What is another thing for each process."""


class Limits(TypedDict):
    """What an answer may use: bytes of address space and of a file, CPU seconds, counts."""

    address_space: int
    cpu: int
    file_size: int
    open_files: int
    processes: int


STANDARD = Limits(address_space=4 << 30, cpu=10, file_size=16 << 20, open_files=1024, processes=512)


SCRATCH = 64 << 20
"""Bytes that an answer may write in all, where it has a mount of its own."""


def around(level: str, scratch: str) -> None:
    """Prepare what must surround the answer's process, before it is forked.

    Raises:
        OSError: the system does not allow this level.
    """
    if sys.platform == "linux":
        linux.die_with_parent()
        linux.adopt_orphans()
    if level == "namespaces+landlock":
        linux.enter_namespaces()
        with contextlib.suppress(OSError):  # Landlock, and refused calls, are walls enough
            linux.make_read_only()
        linux.mount_in_memory(PACKAGE, 1 << 20)  # an environment without a venv would show it
        linux.mount_in_memory(scratch, SCRATCH)
        if os.path.isdir(_SHARED_MEMORY):
            linux.mount_in_memory(_SHARED_MEMORY, SCRATCH)


def inside(level: str, scratch: str, limits: Limits) -> None:
    """Shut this process in, before any of the answer's code runs in it.

    Raises:
        OSError: the system does not allow this level.
    """
    if sys.platform == "linux":
        linux.die_with_parent()
    settle(scratch)
    counted = level in LEVELS[:2] and linux.has_users_of_its_own()
    by_landlock = level != "limits" and (level != "bubblewrap" or linux.landlock_version() > 0)
    if by_landlock:  # before the limits: there may be more handles than files are allowed
        _shut(scratch, private=level in LEVELS[:2])
    _limit(limits, count_processes=counted)
    if by_landlock:
        with contextlib.suppress(OSError):  # a kernel without seccomp
            linux.refuse_calls()


def _shut(scratch: str, *, private: bool) -> None:
    """Let this process reach only the files that it needs; /dev/shm when it has a `private` one."""
    shared_memory = [_SHARED_MEMORY] if private else []
    own, writable = _handles(_OWN), _handles([scratch, "/dev/null", *shared_memory])
    linux.landlock([*shared_handles(), *own], writable)
    linux.drop_capabilities()
    for fd in (*shared_handles(), *own, *writable):
        os.close(fd)


def settle(scratch: str) -> None:
    """Make the scratch folder this process's working directory, home and place
    for temporary files.
    """
    os.chdir(scratch)
    homes = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), scratch)
    os.environ.update(MALLOC_ARENA_MAX="2", **homes)


def _limit(limits: Limits, count_processes: bool) -> None:
    import resource

    wanted = [
        (resource.RLIMIT_AS, limits["address_space"]),
        (resource.RLIMIT_CPU, limits["cpu"]),
        (resource.RLIMIT_FSIZE, limits["file_size"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_CORE, 0),
    ]
    if count_processes:  # elsewhere the system would count all that the same user runs
        wanted.append((resource.RLIMIT_NPROC, limits["processes"]))
    for kind, amount in wanted:
        with contextlib.suppress(ValueError, OSError):
            hard = resource.getrlimit(kind)[1]
            most = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
            resource.setrlimit(kind, (most, most))


@functools.cache
def shared_handles() -> list[int]:
    """Return handles of all that is `readable`, made once for all forks, as there are hundreds."""
    return _handles(path for path in readable() if path not in _OWN)


def _handles(paths: Iterable[str]) -> list[int]:
    return [fd for fd in map(linux.handle, paths) if fd is not None]


def readable() -> list[str]:
    """Return the paths that Python needs, without the folders that are shut out, wherever these
    lie.

    This package's checks and solutions are none of an answer's, nor are the course, what a class
    handed in, and its marks: their folders stand in the environment's `UNBLOCKED_SHUT`.
    """
    shut = [PACKAGE, *filter(None, os.environ.get("UNBLOCKED_SHUT", "").split(os.pathsep))]
    return [part for path in _needed_paths() for part in _without(path, shut)]


def _without(path: str, shut: list[str]) -> list[str]:
    """Return a path; or the entries in it beside the folders that are shut out, where some lie in
    it.
    """
    real = os.path.realpath(path)
    inside = [folder for folder in shut if _is_below(os.path.realpath(folder), real)]
    if not inside:
        return [path]
    if real in map(os.path.realpath, inside) or not os.path.isdir(real):
        return []
    return [part for entry in os.scandir(real) for part in _without(entry.path, inside)]


def _is_below(folder: str, path: str) -> bool:
    return folder == path or folder.startswith(path.rstrip(os.sep) + os.sep)


def _needed_paths() -> list[str]:
    usr = [f"/usr/{name}" for name in ("bin", "lib", "lib32", "lib64", "libexec", "share/zoneinfo")]
    local = [f"/usr/local/{name}" for name in ("bin", "lib")]
    system = [*usr, *local, "/bin", "/lib", "/lib64", "/etc/ssl", "/etc/mime.types"]
    system += [
        "/etc/localtime",
        "/etc/alternatives",
        "/usr/share/mime",
        "/usr/share/ca-certificates",
    ]
    names = ["/etc/hosts", "/etc/nsswitch.conf"]  # for localhost
    numbers = ["/proc/stat", "/proc/meminfo", "/proc/cpuinfo", "/sys/devices/system/cpu"]
    devices = ["/dev/null", "/dev/urandom", "/dev/random"]
    return [*_OWN, *system, *names, *numbers, *devices, *_pythons(), *_installed_packages()]


def _pythons() -> list[str]:
    """Return where this Python and its standard library lie; of the system's Python, not all of
    /usr.
    """
    if sys.base_prefix not in ("/usr", "/usr/local"):
        return [sys.base_prefix]
    return [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), sys.executable]


def _installed_packages() -> list[str]:
    """Return the folders of packages, entry by entry where something of ours is
    among the entries.
    """
    folders = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    return [part for folder in folders for part in _packages_in(folder)]


def _packages_in(folder: str) -> list[str]:
    entries = list(os.scandir(folder))
    others = [entry.path for entry in entries if not entry.name.startswith("unblocked")]
    return [folder] if len(others) == len(entries) else others


def clear(child: int) -> None:
    """Kill the answer's process and all that it left behind; return when nothing is left."""
    # First the whole group, then whatever left the group: orphans become children of this process.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    while _kill_children():
        pass


def _kill_children() -> bool:
    """Kill every child, adopted orphans included; return whether one is left."""
    for pid in _children():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    try:
        os.waitpid(-1, 0)
    except ChildProcessError:
        return False
    return True


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []
