"""The upstream of checks: it can begin anew, and be away for a while."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from unblocked.grading.run import tcp_socket
from unblocked.grading.upstream import Call, Upstream, at_once

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _upstream() -> Upstream:
    return Upstream(tcp_socket(), at_once, lambda: None)


@contextlib.asynccontextmanager
async def _connected(upstream: Upstream) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _asked(stream: Stream) -> bytes:
    reader, writer = stream
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    return await reader.readuntil(b"\r\n")


def test_it_counts_anew_when_it_begins_again() -> None:
    async def main() -> None:
        async with _upstream() as upstream, _connected(upstream) as stream:
            await _asked(stream)
            seen = (len(upstream.calls), upstream.opened, upstream.peak_open, upstream.open)
            assert seen == (1, 1, 1, 1)
            upstream.released.set()
            upstream.begin(upstream.hold, text_size=9)
            seen = (len(upstream.calls), upstream.opened, upstream.peak_open, upstream.open)
            assert seen == (0, 0, 0, 1)
            assert not upstream.released.is_set()

    asyncio.run(main())


def test_while_it_is_away_nobody_listens_and_nothing_is_open() -> None:
    async def main() -> None:
        async with _upstream() as upstream, _connected(upstream) as stream:
            port = upstream.port
            await _asked(stream)
            async with upstream.away(tcp_socket()):
                assert upstream.open == 0
                with pytest.raises(ConnectionRefusedError):
                    await asyncio.open_connection("127.0.0.1", port)
            assert upstream.port == port
            async with _connected(upstream) as again:
                assert await _asked(again) == b"HTTP/1.1 200 OK\r\n"

    asyncio.run(main())


def test_a_body_that_nobody_reads_stays_with_it_after_it_was_away() -> None:
    size = 1 << 20

    async def long(call: Call) -> None:
        await call.reply(b"x" * size)

    async def main() -> None:
        async with _upstream() as upstream:
            async with upstream.away(tcp_socket()):
                pass
            upstream.begin(long)
            async with _connected(upstream) as stream:
                await _asked(stream)
                [listening] = upstream.server.sockets
                kept = listening.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
                assert kept <= 2 * upstream.send_buffer  # Linux doubles what it is asked for
                assert upstream.in_flight == 1

    asyncio.run(main())
