"""What the rig asks of the machine: descriptors for many connections, no proxy for loopback."""

from __future__ import annotations

import os
import sys

from unblocked._descriptors import raise_descriptor_limit

_LOOPBACK = ("127.0.0.1", "localhost")


def descriptors_left() -> int:
    """How many more sockets or files this process may open."""
    import psutil

    process = psutil.Process()
    if sys.platform == "win32":
        return max(0, raise_descriptor_limit() - process.num_handles())
    return max(0, raise_descriptor_limit() - process.num_fds())


def free_loopback_of_proxies() -> None:
    """Add 127.0.0.1 and localhost to `NO_PROXY` and `no_proxy`.

    With `HTTP_PROXY` set, HTTPX and `requests` would send calls to this machine to the proxy.
    """
    for variable in ("NO_PROXY", "no_proxy"):
        hosts = [host.strip() for host in os.environ.get(variable, "").split(",") if host.strip()]
        if "*" not in hosts:
            missing = [host for host in _LOOPBACK if host not in hosts]
            os.environ[variable] = ",".join(hosts + missing)
