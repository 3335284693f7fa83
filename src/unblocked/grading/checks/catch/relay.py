"""Carries what a test sends to the app: each of them has a network of its own."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from unblocked.grading.checks.upstream import turns_of_an_accept

if TYPE_CHECKING:
    from unblocked.grading.checks.app import App
    from unblocked.grading.sandbox.run import AnswerRun

MOST = 64 << 10
"""Bytes that are carried at a time."""


def end(writer: asyncio.StreamWriter) -> None:
    """Close a connection: at once when this task is cancelled, else when all is sent."""
    task = asyncio.current_task()
    if task and task.cancelling():
        writer.transport.abort()
    else:
        writer.close()


async def closed(server: asyncio.Server, tasks: set[asyncio.Task[None]]) -> None:
    """Accept no more, and end what serves the connections; each has become one by then."""
    for sock in server.sockets:
        with contextlib.suppress(NotImplementedError):  # Windows' loop has no readers
            asyncio.get_running_loop().remove_reader(sock)
    await turns_of_an_accept()
    server.close()
    while tasks:
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await turns_of_an_accept()


class Relay:
    """A door to the app in the tests' network. Use as `async with`."""

    def __init__(self, tests: AnswerRun, app: App) -> None:
        self.tests, self.app = tests, app
        self.url = ""
        self.moves = 0
        """Connections and pieces so far."""
        self._carrying: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Relay:
        sock = self.tests.blank_socket()
        sock.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        self._server = await asyncio.start_server(self._come, sock=sock, backlog=100)
        return self

    async def __aexit__(self, *_: object) -> None:
        await closed(self._server, self._carrying)

    def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.moves += 1
        try:
            with contextlib.suppress(OSError):
                app_reader, app_writer = await self._connected()
                try:
                    await self._until_one_ends((reader, app_writer), (app_reader, writer))
                finally:
                    end(app_writer)
        finally:
            end(writer)
            self.moves += 1

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = self.app.process.blank_socket()
        sock.setblocking(False)
        try:
            address = ("127.0.0.1", self.app.callers.port)
            await asyncio.get_running_loop().sock_connect(sock, address)
            return await asyncio.open_connection(sock=sock)
        except BaseException:
            sock.close()
            raise

    async def _until_one_ends(
        self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        """Carry both ways until one side has ended: then the other is told so."""
        pumps = [asyncio.create_task(self._pump(*way)) for way in ways]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(MOST):
                self.moves += 1
                writer.write(piece)
                await writer.drain()
