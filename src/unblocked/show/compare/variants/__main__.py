"""Serve one variant: print its port, and end when the standard input is closed.

Started by `race.serving`, whose first message says which variant, and for which upstream.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

import uvicorn

from unblocked.rig import raise_descriptor_limit, watchdog

if TYPE_CHECKING:
    from fastapi import FastAPI


def main() -> None:
    """Serve the variant that the first message names."""
    start = watchdog.first_message()
    os.environ["UPSTREAM"] = start["upstream"]  # Each variant reads it when it is imported.
    app = import_module(f"{__package__}.{start['name']}").app
    serve_until_left(app, start["loop"], start["http"])


def serve_until_left(app: FastAPI, loop: Any, http: Any) -> None:
    """Serve `app`, print its port, and end when the standard input is closed.

    `loop` and `http` are uvicorn's settings of these names.
    """
    raise_descriptor_limit()
    config = uvicorn.Config(
        app, loop=loop, http=http, log_level="warning", access_log=False, backlog=4096
    )
    server = uvicorn.Server(config)
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:  # Else Nagle: 40 ms an answer.
        listening.bind(("127.0.0.1", 0))
        listening.listen(config.backlog)  # Who reads the port may call: the app answers when up.
        print(listening.getsockname()[1], flush=True)
        threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
        server.run(sockets=[listening])


def _end_with_parent(server: uvicorn.Server) -> None:
    sys.stdin.buffer.read()
    server.should_exit = True


if __name__ == "__main__":
    main()
