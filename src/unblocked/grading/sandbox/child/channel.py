"""Messages between the marker and the processes it starts: JSON of bounded size.

Descriptors go with them on POSIX only.
Nothing is ever unpickled: what comes back from an answer's process is data.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT = 1 << 20
"""Bytes of the largest message that is read from an answer's process."""

_HEAD = struct.Struct("!I")
_MOST_FDS = 200
_CREDENTIALS = struct.Struct("3i")  # process, user, group
_SCM_CREDENTIALS = getattr(socket, "SCM_CREDENTIALS", 2)


class ChannelClosed(Exception):
    """The other side has gone, or sent something that is no message."""


def encode(message: dict[str, Any]) -> bytes:
    """Return a message in its frame: four bytes of length, then JSON."""
    body = json.dumps(message).encode()
    return _HEAD.pack(len(body)) + body


def send(sock: socket.socket, message: dict[str, Any], fds: Iterable[int] = ()) -> None:
    """Send a message, and copies of descriptors with it; blocks until it is out."""
    data, copied = encode(message), list(fds)
    sent = socket.send_fds(sock, [data], copied) if copied else 0
    sock.sendall(data[sent:])


def receive(sock: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Wait for a message and the descriptors that came with it.

    Raises:
        ChannelClosed: the other side has gone.
    """
    head, fds, _, _ = socket.recv_fds(sock, _HEAD.size, _MOST_FDS)
    head += _exactly(sock, _HEAD.size - len(head))
    body = _exactly(sock, _HEAD.unpack(head)[0])
    return json.loads(body), fds


def tell_senders(sock: socket.socket) -> None:
    """Have `receive_signed` learn from the system who sent each message, where it can."""
    if hasattr(socket, "SO_PASSCRED"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)


def receive_signed(sock: socket.socket) -> dict[str, Any]:
    """Wait for a message whose `pid` is its sender's, as this process sees it.

    A process in a namespace of its own does not know how it is called outside; the system does.

    Raises:
        ChannelClosed: the other side has gone.
    """
    head, ancillary, _, _ = sock.recvmsg(_HEAD.size, socket.CMSG_SPACE(_CREDENTIALS.size))
    head += _exactly(sock, _HEAD.size - len(head))
    message: dict[str, Any] = json.loads(_exactly(sock, _HEAD.unpack(head)[0]))
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SCM_CREDENTIALS):
            message["pid"] = _CREDENTIALS.unpack(data)[0]
    return message


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ChannelClosed
        data += piece
    return bytes(data)


def ask(sock: socket.socket, message: dict[str, Any]) -> dict[str, Any]:
    """Send a message on a socket that blocks, and wait for the reply.

    Raises:
        ChannelClosed: the other side has gone.
    """
    sock.sendall(encode(message))
    reply: dict[str, Any] = json.loads(_exactly(sock, _HEAD.unpack(_exactly(sock, 4))[0]))
    return reply


async def hear(sock: socket.socket) -> dict[str, Any]:
    """Wait for a message on a socket that does not block, in any kind of event loop.

    Raises:
        ChannelClosed: the other side has gone.
    """
    size = _HEAD.unpack(await _all_of(sock, _HEAD.size))[0]
    message: dict[str, Any] = json.loads(await _all_of(sock, size))
    return message


async def _all_of(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = await asyncio.get_running_loop().sock_recv(sock, size - len(data))
        if not piece:
            raise ChannelClosed
        data += piece
    return bytes(data)


async def read(stream: asyncio.StreamReader) -> dict[str, Any]:
    """Read a message from a process that is not trusted.

    Raises:
        ChannelClosed: it has gone, or sent something that is no message of bounded size.
    """
    try:
        size = _HEAD.unpack(await stream.readexactly(_HEAD.size))[0]
        # A process that is not trusted could make the marker wait for, and keep, any number of
        # bytes.
        if size > LIMIT:
            raise ChannelClosed
        message = json.loads(await stream.readexactly(size))
    except (EOFError, OSError, ValueError, RecursionError) as error:
        raise ChannelClosed from error
    if not isinstance(message, dict):
        raise ChannelClosed
    return message
