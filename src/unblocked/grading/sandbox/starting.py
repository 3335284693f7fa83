"""Starting Python processes of ours, above all the one that answers are forked from.

That one imports for half a second, and so does its marker: started first, before the marker has
imported much, it takes half a second for both. So this module imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from unblocked._descriptors import raise_descriptor_limit

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYSTEMS = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "HOME", "VIRTUAL_ENV")
_WINDOWS = ("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_HANDED_DOWN = frozenset((*_SYSTEMS, *_WINDOWS, "LD_LIBRARY_PATH", *_CERTIFICATES))
_NO_PLUGINS = {"PYDANTIC_DISABLE_PLUGINS": "__all__"}
"""Pydantic would look for them in all packages that are installed, which takes 20 ms."""


class Preimported(NamedTuple):
    """A process that imports what answers need, and the marker's line to it."""

    process: subprocess.Popen[bytes]
    line: socket.socket


def python(module: str) -> list[str]:
    """The command that runs a module of ours; files beside the caller hide nothing."""
    return [sys.executable, "-P", "-m", module]


def environment() -> dict[str, str]:
    """What Python needs of ours: the rest may be secret, and an answer could print it."""
    ours = {n: v for n, v in os.environ.items() if n in _HANDED_DOWN or n.startswith("PYTHON")}
    return ours | _NO_PLUGINS


@contextlib.contextmanager
def no_certificates() -> Iterator[None]:
    """Find none meanwhile: aiohttp, when imported, reads all of them twice, for 45 ms.

    The marker speaks plain HTTP. What answers are given is not touched.
    """
    before = {name: os.environ.get(name) for name in _CERTIFICATES}
    os.environ.update(dict.fromkeys(_CERTIFICATES, os.devnull))
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


def preimport() -> Preimported | None:
    """Start the process that answers are forked from; None where the system cannot fork.

    Raises this process's limit of descriptors, and so that one's: each run takes dozens.
    """
    raise_descriptor_limit()
    if not hasattr(os, "fork"):
        return None
    line, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            python("unblocked.grading.sandbox.child.fork_server"),
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,  # the marker's own may be a line that ends with it
            start_new_session=True,
            env=environment(),
        )
    return Preimported(process, line)
