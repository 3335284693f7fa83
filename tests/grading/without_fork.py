"""What Windows lacks is taken away from every Python that finds this as its `sitecustomize`.

No fork, no descriptors between processes, no limits by the system, no `/proc`; and an event loop
that watches no descriptors, as Windows' standard one does not.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

import psutil  # noqa: F401 - needs `resource` itself where this runs


class ProactorLike(asyncio.SelectorEventLoop):
    """A loop that refuses what Windows' standard loop refuses."""

    def _refuse(self, *_: object) -> NoReturn:
        raise NotImplementedError

    add_reader = add_writer = _refuse  # type: ignore[assignment]
    add_signal_handler = remove_signal_handler = _refuse  # type: ignore[assignment]

    async def connect_read_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        """A pipe of a process that asyncio started is fine; standard input is not."""
        if pipe is sys.stdin:
            raise OSError("the handle is invalid")
        return await super().connect_read_pipe(protocol_factory, pipe)


class Policy(asyncio.DefaultEventLoopPolicy):
    """Every loop is such a loop."""

    _loop_factory = ProactorLike


_exists = Path.exists


def _exists_elsewhere(self: Path) -> bool:
    return not self.as_posix().startswith("/proc") and _exists(self)


Path.exists = _exists_elsewhere  # type: ignore[method-assign, assignment]
for module, names in (
    (os, ("fork", "forkpty", "killpg", "setsid", "setpgid")),
    (socket, ("send_fds", "recv_fds", "CMSG_SPACE", "SCM_RIGHTS", "SO_PASSCRED")),
):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
sys.modules["resource"] = None  # type: ignore[assignment]
asyncio.set_event_loop_policy(Policy())
