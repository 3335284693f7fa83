"""The process of a run without fork: it connects back to the marker, then lives as an answer's.

Whatever it needs stands in the first line of its standard input, whose end is the marker's.
"""

from __future__ import annotations

import _thread
import json
import os
import socket
import sys
from typing import Any

from unblocked.grading.sandbox.child import channel, isolation


def main() -> None:
    """`python -m unblocked.grading.sandbox.child.spawned`, started by `spawning.py`."""
    watchdog = _own_input()
    order = json.loads(_line(watchdog))
    _thread.start_new_thread(_leave_with_marker, (watchdog,))

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(  # type: ignore[union-attr]
            encoding="utf-8", errors="backslashreplace", line_buffering=True
        )

    answer_process = _import_all()
    talk = socket.create_connection(("127.0.0.1", order["port"]))
    talk.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _shut_in(order)
    channel.send(talk, {"secret": order["secret"], "pid": os.getpid()})

    try:
        answer_process.main(talk)
    finally:
        os._exit(1)


def _own_input() -> int:
    """Return standard input as a descriptor of this process alone; the answer
    finds an empty one.
    """
    watchdog = os.dup(0)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    return watchdog


def _line(fd: int) -> bytes:
    data = b""
    while not data.endswith(b"\n") and (piece := os.read(fd, 4096)):
        data += piece
    return data


def _leave_with_marker(watchdog: int) -> None:
    """End this process when the marker has gone, whatever the answer does meanwhile."""
    while os.read(watchdog, 1):
        pass
    os._exit(1)


def _import_all() -> Any:
    """Import what answers need, so that no first request waits for it; return `answer_process`."""
    import anyio._backends._asyncio  # noqa: F401
    import uvicorn.lifespan.on
    import uvicorn.protocols.http.h11_impl  # noqa: F401

    from unblocked.grading.sandbox.child import answer_process

    return answer_process


def _shut_in(order: dict[str, Any]) -> None:
    """Set the limits that the system knows; the marker watches over the others."""
    try:
        isolation.inside("limits", order["scratch"], order["limits"])
    except ImportError:  # no `resource`, on Windows
        isolation.settle(order["scratch"])


if __name__ == "__main__":
    main()
