"""The limit on sockets and files that a process may have open. Imports nothing heavy."""

from __future__ import annotations

import sys
from importlib.util import find_spec

_WANTED = 16_384
"""More than anything here needs; also the answer on Windows, which has no such limit."""


def raise_descriptor_limit() -> int:
    """Let this process open as many files as the system allows, at most 16,384; return how many."""
    if sys.platform == "win32" or not find_spec("resource"):
        return _WANTED
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    target = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
    if soft >= target:
        return soft
    for attempt in (target, 10_240):  # macOS may refuse more than OPEN_MAX, whatever `hard` says.
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (attempt, hard))
        except (OSError, ValueError):
            continue
        return attempt
    return soft
