"""Callers who read piece by piece, and who stay or leave as a check likes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from unblocked.grading.checks.expect import Failed, expect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import aiohttp

    from unblocked.grading.checks.app import App


class Reader:
    """A caller who takes a reply piece by piece; a subclass says what becomes of each."""

    def __init__(self, app: App, path: str) -> None:
        self.app = app
        self.status, self.received = 0, 0
        """The reply's status, 0 before there is one, and the bytes of its body so far."""
        self.headers: Mapping[str, str] = {}
        self.complete = False
        self.task = app.reader(path, self._read)

    async def _read(self, response: aiohttp.ClientResponse) -> None:
        self.status, self.headers = response.status, response.headers
        while piece := await response.content.readany():
            self.received += len(piece)
            if not await self.take(piece):
                return
        self.complete = True

    async def take(self, piece: bytes) -> bool:
        """Take a piece, and return whether to read on."""
        self.app.moved()
        return True

    @property
    def over(self) -> bool:
        """Whether nothing more is read."""
        return self.task.done()

    @property
    def end(self) -> str:
        """How the reply has ended, for messages; nothing while it has not."""
        return "" if not self.over else ", complete" if self.complete else ", broken off"

    async def leave(self) -> None:
        """Close the connection, and let the app see it."""
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.app.turn()


async def until_read(
    readers: Sequence[Reader], condition: Callable[[], object], expected: str, look: str = ""
) -> None:
    """Wait for the condition; a failure says what the first readers have got."""
    await readers[0].app.until(condition, expected, saw=lambda: _seen(readers), look=look)


async def while_open(
    readers: Sequence[Reader], condition: Callable[[], object], expected: str, look: str = ""
) -> None:
    """Wait for the condition; no reader's reply may end before."""
    app = readers[0].app

    def decided() -> object:
        return condition() or any(reader.over for reader in readers)

    await until_read(readers, decided, expected, look)
    if not condition():
        with contextlib.suppress(Failed):
            await app.turn(1)  # the log of an error follows the reply
        saw = app.with_log(f"{_seen(readers)}, too early")
        expect(False, saw=saw, expected=expected, look=look)


async def read_to_end(readers: Sequence[Reader]) -> None:
    """Wait until all replies have ended: each with 200, and whole."""
    ended = lambda: all(reader.over for reader in readers)  # noqa: E731
    await until_read(readers, ended, "every reply comes to its end")
    for reader in readers:
        right = reader.status == 200 and reader.complete
        saw = reader.app.with_log(reader)
        expect(right, saw=saw, expected="200, and a body that comes to its proper end")


def _seen(readers: Sequence[Reader]) -> str:
    return " | ".join(map(str, readers[:3]))
