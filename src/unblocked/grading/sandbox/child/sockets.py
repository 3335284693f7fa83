"""TCP sockets, all made in one way."""

from __future__ import annotations

import socket


def tcp_socket() -> socket.socket:
    """Return a new TCP socket that is neither bound nor connected.

    It names its protocol: only then does asyncio turn off Nagle's algorithm, which would hold back
    the second piece of an answer for 40 ms.
    """
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
