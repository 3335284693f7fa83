"""Starting Python processes of ours, above all the one that answers are forked from.

That one imports for half a second, and so does its marker: started first, before the marker has
imported much, it takes half a second for both. So this module imports nothing heavy.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import NamedTuple

from unblocked._descriptors import raise_descriptor_limit

_SYSTEMS = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "HOME", "VIRTUAL_ENV")
_WINDOWS = ("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP")
_LIBRARIES = ("LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
_HANDED_DOWN = frozenset(_SYSTEMS + _WINDOWS + _LIBRARIES)
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
            python("unblocked.grading.nursery"),
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,  # the marker's own may be a line that ends with it
            start_new_session=True,
            env=environment(),
        )
    return Preimported(process, line)
