"""An HTTP server that counts its connections: what every upstream here is built on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

# What a caller sends wrongly is no news for the terminal of the person who runs the server.
_silent = logging.getLogger("unblocked.origin")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class Origin(web.Server):
    """An aiohttp low-level server that knows how many connections it has and ever had.

    A handler is cancelled when its caller closes the connection, so a `finally` sees the moment.
    Connections beyond `most_open` are dropped as they come.
    """

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        *,
        most_open: int | None = None,
    ) -> None:
        super().__init__(handler, handler_cancellation=True, access_log=None, logger=_silent)
        self.opened = 0
        """Connections ever accepted."""
        self._numbers: dict[web.RequestHandler, int] = {}
        self._most_open = most_open

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self.opened += 1
        self._numbers[handler] = self.opened
        if self._most_open is not None and self.open > self._most_open:
            transport.abort()

    def connection_lost(
        self,
        handler: web.RequestHandler,
        exc: BaseException | None = None,
    ) -> None:
        super().connection_lost(handler, exc)
        self._numbers.pop(handler, None)

    @property
    def open(self) -> int:
        """Connections open now, idle keep-alive ones included."""
        return len(self.connections)

    def number_of(self, request: web.BaseRequest) -> int:
        """Return which connection a call came on: 1 for the first ever accepted; 0
        when it is gone.
        """
        return self._numbers.get(request.protocol, 0)

    def refuse(self) -> None:
        """Abort every connection, and those that are still on their way in."""
        self._most_open = 0
        self.drop_all()

    def drop_all(self) -> None:
        """Abort every connection, whatever it carries."""
        for transport in list(self._connections.values()):
            transport.abort()
