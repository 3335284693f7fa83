"""Prepares the machine for the rig: descriptors for many connections, no proxy for loopback."""

from __future__ import annotations

import os
import re
import sys

from unblocked._descriptors import raise_descriptor_limit

_LOOPBACK = ("127.0.0.1", "localhost")
_PROXY_VARIABLES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})
_PLAIN_PROXY = re.compile(r"(https?://)?[a-z0-9.-]+(:\d{1,5})?/?", re.IGNORECASE)
_PLAIN_HOST = re.compile(r"\*|[a-z0-9.-]+", re.IGNORECASE)
_fit: dict[str, str] | None = None
"""The variables as `free_loopback_of_proxies` left them; None before its first call."""
_said: set[str] = set()


def descriptors_left() -> int:
    """Return how many more sockets or files this process may open."""
    import psutil

    process = psutil.Process()
    if sys.platform == "win32":
        return max(0, raise_descriptor_limit() - process.num_handles())
    return max(0, raise_descriptor_limit() - process.num_fds())


def free_loopback_of_proxies() -> None:
    """Make the proxies of the environment fit for calls to this machine.

    With `HTTP_PROXY` or `ALL_PROXY` set, HTTPX and `requests` would send such calls to the proxy,
    so 127.0.0.1 and localhost are added to `NO_PROXY` and `no_proxy`. HTTPX also builds a transport
    for each proxy as soon as a client is made. There a SOCKS proxy without the package socksio is
    an `ImportError`, an address that it cannot read a `ValueError` or `httpx.InvalidURL`, and so is
    an entry of `NO_PROXY` such as `[::1]` (HTTPX 0.28, `_utils.py`). What HTTPX refuses is left out
    of this process's environment, and a notebook says so once.
    """
    global _fit
    found = _proxy_variables()
    if found == _fit:
        return
    if not all(map(_is_plain, found, found.values())):
        _leave_out_what_httpx_refuses(found)
    _except_loopback("NO_PROXY", "no_proxy")
    _except_loopback("no_proxy", "NO_PROXY")
    _fit = _proxy_variables()


def _is_plain(name: str, value: str) -> bool:
    """Return whether HTTPX surely accepts a variable, so that the usual start need not import
    HTTPX.
    """
    if name.lower() == "no_proxy":
        return all(map(_PLAIN_HOST.fullmatch, _hosts(value)))
    return not value or _PLAIN_PROXY.fullmatch(value) is not None


def _proxy_variables() -> dict[str, str]:
    """Return the variables that HTTPX and `requests` read, upper case first: lower case wins."""
    names = sorted(name for name in os.environ if name.lower() in _PROXY_VARIABLES)
    return {name: os.environ[name] for name in names}


def _except_loopback(variable: str, twin: str) -> None:
    """Add the loopback to `variable`; where it is not set, to what its twin says.

    A lower-case variable wins over its twin, so it must not say less.
    """
    hosts = _hosts(os.environ.get(variable) or os.environ.get(twin, ""))
    if "*" not in hosts:
        missing = [host for host in _LOOPBACK if host not in hosts]
        os.environ[variable] = ",".join(hosts + missing)


def _hosts(value: str) -> list[str]:
    return [host.strip() for host in value.split(",") if host.strip()]


def _leave_out_what_httpx_refuses(found: dict[str, str]) -> None:
    if _httpx_accepts_the_environment():
        return
    # HTTPX reads all variables at once and names none in its error, so they are tried one by one.
    for name in found:
        del os.environ[name]

    refused = [name for name, value in found.items() if not _put_back(name, value)]
    new = [name for name in refused if name not in _said]
    _said.update(new)

    if new and "ipykernel" in sys.modules:  # In a terminal no client is the learner's own.
        print(
            f"Left out in this notebook, as HTTPX refuses what they say: {', '.join(new)}. "
            "(A SOCKS proxy, for example, needs the package socksio.) No lesson needs a proxy, "
            "since all calls stay on this machine."
        )


def _put_back(name: str, value: str) -> bool:
    """Set the variable to as much of `value` as HTTPX accepts; return whether that is all."""
    parts = _hosts(value) if name.lower() == "no_proxy" else [value]
    kept = [part for part in parts if _httpx_accepts(name, part)]
    if kept:
        os.environ[name] = ",".join(kept)
    return kept == parts


def _httpx_accepts(name: str, value: str) -> bool:
    os.environ[name] = value
    accepted = _httpx_accepts_the_environment()
    del os.environ[name]
    return accepted


def _httpx_accepts_the_environment() -> bool:
    import httpx

    try:
        httpx.Client(verify=False).close()
    except Exception:  # ImportError, ValueError, httpx.InvalidURL: whatever a lesson would meet
        return False
    return True
