"""Starts Python processes of ours, above all the one that answers are forked from.

That one imports for half a second, and so does its marker: started first, before the marker has
imported much, it takes half a second for both. So this module imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from unblocked._descriptors import raise_descriptor_limit
from unblocked._python import apart
from unblocked._python import python as python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SYSTEMS = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "HOME", "VIRTUAL_ENV")
_WINDOWS = ("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_HANDED_DOWN = frozenset(
    (*_SYSTEMS, *_WINDOWS, "LD_LIBRARY_PATH", "UNBLOCKED_SHUT", *_CERTIFICATES)
)
_NO_PLUGINS = {"PYDANTIC_DISABLE_PLUGINS": "__all__"}
"""Pydantic would look for them in all packages that are installed, which takes 20 ms."""


FEWEST_DESCRIPTORS = 256
"""With fewer open files nothing can be marked."""


class TooFewDescriptors(OSError):
    """The system allows too few open files; the text says how many, and what to do."""


class Preimported(NamedTuple):
    """A process that imports what answers need, and the marker's line to it."""

    process: subprocess.Popen[bytes]
    line: socket.socket


def environment() -> dict[str, str]:
    """Return the variables that Python and our code need; the others may be secret, and an answer
    could print them.

    A certificate variable that names no file is left out: no TLS context could be made with it.
    """
    ours = {n: v for n, v in os.environ.items() if n in _HANDED_DOWN or n.startswith("PYTHON")}
    wrong = {n for n in _CERTIFICATES if n in ours and not os.path.exists(ours[n])}
    return {n: v for n, v in ours.items() if n not in wrong} | _NO_PLUGINS


def shut_out(*folders: Path) -> None:
    """Keep these folders unreadable for every answer that is run from now on.

    Processes of ours that are started later know it from the environment.
    """
    named = [os.path.abspath(folder) for folder in folders]
    before = os.environ.get("UNBLOCKED_SHUT", "").split(os.pathsep)
    os.environ["UNBLOCKED_SHUT"] = os.pathsep.join(dict.fromkeys(filter(None, [*before, *named])))


@contextlib.contextmanager
def no_certificates() -> Iterator[None]:
    """Hide the certificates during the block: aiohttp, when imported, reads them twice, which takes
    45 ms.

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

    Raises:
        TooFewDescriptors: the system allows too few.
    """
    if (allowed := raise_descriptor_limit()) < FEWEST_DESCRIPTORS:
        raise TooFewDescriptors(
            f"This system lets a process open only {allowed} files, and marking needs "
            f"{FEWEST_DESCRIPTORS}: raise the limit (`ulimit -n 1024`) and run this again."
        )

    if not hasattr(os, "fork"):
        return None
    line, theirs = socket.socketpair()

    with theirs:
        process = subprocess.Popen(
            python("unblocked.grading.sandbox.child.fork_server"),
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,  # the marker's own may be a line that ends with it
            env=environment(),
            **apart(),
        )

    return Preimported(process, line)
