"""Isolates a run by bubblewrap, a helper of Linux that may build walls which this process may not.

A forked process cannot be put behind such walls: the helper starts a program in them. So each run
starts Python and imports all anew (about half a second of CPU), instead of being forked from a
process that has imported everything. Weaker than namespaces of our own it is in this: where the
kernel has no Landlock, there are the mounts alone; and processes are not counted where the helper
makes no user namespace. The helper must know `--size` (0.7 or newer).
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, NoReturn

from unblocked.grading.sandbox.child import isolation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WALLS = ("--unshare-all", "--die-with-parent", "--as-pid-1", "--cap-drop", "ALL")
_LINKER = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d")
_PACKAGES = ("", "grading/", "grading/sandbox/", "grading/sandbox/child/")
SHOWN = (*(f"{package}__init__.py" for package in _PACKAGES), "grading/sandbox/child")
"""What a run imports of this package. No answer has to see anything else."""


def become(command: Sequence[str], scratch: str, fds: Iterable[int]) -> NoReturn:
    """Replace this process by bubblewrap, which runs the command with these descriptors open.

    Raises:
        OSError: there is no bubblewrap here.
    """
    helper = shutil.which("bwrap")
    if helper is None:
        raise FileNotFoundError("bubblewrap (bwrap) is not installed")
    for fd in fds:
        os.set_inheritable(fd, True)
    os.execv(helper, [helper, *_WALLS, *_mounts(scratch), "--", *command])


def _mounts(scratch: str) -> list[str]:
    """Return the options that show what Python needs, and of this package only what the run
    imports.
    """
    python = [sys.base_prefix, sys.prefix, os.path.dirname(os.path.realpath(sys.executable))]
    more = [path for path in (*isolation.readable(), *_LINKER) if not _is_in(path, *python)]
    shown = [*python, *(path for path in more if not _is_in(path, "/proc", "/dev"))]
    ours = [f"{isolation.PACKAGE}/{name}" for name in SHOWN]
    size = str(isolation.SCRATCH)
    return [
        *_read_only(shown),
        *("--tmpfs", isolation.PACKAGE, *_read_only(ours)),
        *("--proc", "/proc", "--dev", "/dev", "--size", size, "--tmpfs", "/dev/shm"),
        *("--size", size, "--tmpfs", scratch),
        *(word for path in ("/", "/dev", isolation.PACKAGE) for word in ("--remount-ro", path)),
    ]


def _is_in(path: str, *folders: str) -> bool:
    return path.startswith(tuple(f"{folder}/" for folder in folders))


def _read_only(paths: Iterable[str]) -> list[str]:
    return [word for path in paths for word in ("--ro-bind-try", path, path)]
