"""The upstream of checks: it can begin anew, and be away for a while."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from unblocked.grading.checks.upstream import Call, Upstream, at_once, secret_text
from unblocked.grading.sandbox.run import tcp_socket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Script = Callable[[Call], Awaitable[None]]
    Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _upstream() -> Upstream:
    return Upstream(tcp_socket(), at_once, lambda: None, expects=lambda _: True)


@contextlib.asynccontextmanager
async def _connected(upstream: Upstream) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _asked(stream: Stream, method: str = "GET") -> bytes:
    reader, writer = stream
    writer.write(f"{method} / HTTP/1.1\r\nHost: here\r\n\r\n".encode())
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


@pytest.mark.parametrize("turns", range(25))
def test_cancelled_at_any_turn_it_leaves_no_socket_open(turns: int) -> None:
    made: list[socket.socket] = []

    def blank() -> socket.socket:
        made.append(tcp_socket())
        return made[-1]

    async def come_and_go() -> None:
        async with Upstream(blank(), at_once, lambda: None, expects=lambda _: True) as upstream:
            async with upstream.away(blank()):
                await asyncio.sleep(0)
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(come_and_go())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())
    left = [sock for sock in made if sock.fileno() != -1]
    for sock in left:
        sock.close()
    assert not left


async def _in_parts(call: Call) -> None:
    await call.head(first="the first part")
    await call.send("the second")
    await call.finish("the last")


@pytest.mark.parametrize("script", [at_once, _in_parts])
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_where_no_body_belongs_none_is_sent(script: Script, method: str, status: int) -> None:
    async def main() -> None:
        async def with_status(call: Call) -> None:
            begin = call._begin
            call._begin = lambda _, *rest: begin(status, *rest)  # type: ignore[method-assign]
            await script(call)

        async with _upstream() as upstream, _connected(upstream) as stream:
            upstream.script = with_status
            for _ in range(2):
                assert (await _asked(stream, method)).startswith(f"HTTP/1.1 {status} ".encode())
                await stream[0].readuntil(b"\r\n\r\n")

    asyncio.run(main())


def test_all_texts_have_their_characters_of_several_bytes_at_the_same_places() -> None:
    texts = [secret_text(400) for _ in range(20)]
    assert len({text[:50] for text in texts}) == len(texts)
    widths = {tuple(len(character.encode()) for character in text) for text in texts}
    assert len(widths) == 1
    assert set(*widths) == {1, 2, 3, 4}
