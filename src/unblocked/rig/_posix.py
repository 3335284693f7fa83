"""What only POSIX systems have. Imported where `sys.platform` is not `win32`."""

from __future__ import annotations

import resource
import sys

assert sys.platform != "win32"

_WANTED = 16_384


def raise_descriptor_limit() -> int:
    """Lift the soft limit of open descriptors towards 16,384; returns the limit now."""
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
