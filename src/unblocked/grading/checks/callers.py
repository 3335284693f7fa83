"""Callers of an answer's app: they look like common HTTP clients, on sockets of its network."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL as Url

from unblocked.grading.checks.upstream import as_json, size_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

MOST_BODY = 16 << 20
"""Bytes of a reply after which it is not read any further."""
MOST_KEPT = 64 << 20
"""Bytes of all replies of a run, headers included, after which none is read any further."""

_COMMON_CLIENTS: tuple[dict[str, str], ...] = (
    {"User-Agent": "curl/8.14.1", "Accept": "*/*"},
    {"User-Agent": "curl/7.88.1", "Accept": "*/*"},
    {"User-Agent": "Wget/1.25.0", "Accept": "*/*", "Accept-Encoding": "identity"},
    {"User-Agent": "python-requests/2.34.2", "Accept": "*/*", "Accept-Encoding": "identity"},
)
"""What callers say of themselves, at random: no answer can be right for the marker alone. None of
them asks for compression, so that bodies are what the app was given."""


class TooLong(Exception):
    """A reply that nobody would read to its end."""


@dataclass(frozen=True)
class Reply:
    """What a caller got back."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    broken: bool = False
    """The body ended before it was complete."""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        """The body's lines, split at newlines only, of either kind."""
        return self.text.replace("\r\n", "\n").removesuffix("\n").split("\n")

    def json(self) -> Any:
        """Return the body as JSON, or None when it is none that can be parsed."""
        return as_json(self.body)

    def __str__(self) -> str:
        return f"{self.status} with {self.text[:120]!r}"


class Callers:
    """All callers of one app. `moved` is called whenever one of them sends or receives."""

    def __init__(
        self, blank_socket: Callable[[], socket.socket], moved: Callable[[], None]
    ) -> None:
        self.port = 0
        """Where the app listens."""
        self.receive_buffer: int | None = None
        """Bytes that the system may keep for a caller that does not read."""
        self.tasks: list[asyncio.Task[Any]] = []
        self.sent = 0
        """Requests whose headers are out."""
        self.unsent: set[int] = set()
        """Requests that have begun, and are not out yet."""
        self._blank_socket, self._moved = blank_socket, moved
        self._sessions: dict[tuple[int | None, int, int], aiohttp.ClientSession] = {}
        self._sockets = weakref.WeakSet[socket.socket]()
        self._kept = 0
        self._crowds = 0

    def open(self, path: str = "/", **kwargs: Any) -> Any:
        """Return aiohttp's request context for a caller who reads as it likes: `async with`."""
        method = kwargs.pop("method", "GET")
        url = Url(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        return self._session().request(method, url, allow_redirects=False, **kwargs)

    def call(self, path: str = "/", **kwargs: Any) -> asyncio.Task[Reply]:
        """Start a caller; its task ends with its reply."""
        task = asyncio.create_task(self._fetch(path, **kwargs))
        task.add_done_callback(lambda _: self._moved())
        self.tasks.append(task)
        return task

    def reader(
        self, path: str, read: Callable[[aiohttp.ClientResponse], Awaitable[None]]
    ) -> asyncio.Task[None]:
        """Start a caller who reads as `read` does; a connection that breaks ends its task."""

        async def run() -> None:
            with contextlib.suppress(aiohttp.ClientError):
                async with self.open(path) as response:
                    self._moved()
                    await read(response)

        task = asyncio.create_task(run())
        task.add_done_callback(lambda _: self._moved())
        self.tasks.append(task)
        return task

    def new_crowd(self) -> None:
        """Give the next callers connections of their own."""
        self._crowds += 1

    async def send_away(self) -> bool:
        """Let all callers leave that are still there; whether any left without a reply."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        unanswered = any(task.cancelled() for task in self.tasks)
        self.tasks.clear()
        return unanswered

    async def close(self) -> None:
        """Send all away, and close their connections."""
        async with contextlib.AsyncExitStack() as sessions:
            for session in self._sessions.values():
                sessions.push_async_callback(session.close)
            await self.send_away()

    def ports(self) -> set[int]:
        """Return the local ports of callers that are connected."""
        return {sock.getsockname()[1] for sock in self._sockets if sock.fileno() >= 0}

    def _session(self) -> aiohttp.ClientSession:
        """Return one of a few HTTP clients, without limits; bodies stay as they were sent."""
        number = random.randrange(len(_COMMON_CLIENTS))
        kind = (self.receive_buffer, self._crowds, number)
        if kind not in self._sessions:
            self._sessions[kind] = self._new_session(_COMMON_CLIENTS[number])
        return self._sessions[kind]

    def _new_session(self, headers: dict[str, str]) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._note_begun)
        trace.on_request_headers_sent.append(self._note_sent)
        trace.on_request_exception.append(self._note_over)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, socket_factory=self._blank),
            trace_configs=[trace],
            headers=headers,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def _blank(self, _: object) -> socket.socket:
        sock = self._blank_socket()
        sock.setblocking(False)
        self._sockets.add(sock)
        if self.receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        return sock

    async def _note_begun(self, _: object, caller: Any, __: object) -> None:
        self.unsent.add(id(caller))

    async def _note_sent(self, _: object, caller: Any, __: object) -> None:
        self.sent += 1
        self.unsent.discard(id(caller))
        self._moved()

    async def _note_over(self, _: object, caller: Any, __: object) -> None:
        self.unsent.discard(id(caller))

    async def _fetch(self, path: str, **kwargs: Any) -> Reply:
        async with self.open(path, **kwargs) as response:
            body, broken = bytearray(), False
            self._keep(size_of(response.raw_headers))
            try:
                async for piece in response.content.iter_any():
                    body += piece
                    self._moved()
                    self._keep(len(piece))
                    if len(body) > MOST_BODY:
                        raise TooLong(f"the reply is longer than {MOST_BODY >> 20} MiB")
            except aiohttp.ClientError:
                broken = True
            return Reply(response.status, response.headers, bytes(body), broken)

    def _keep(self, size: int) -> None:
        """Count what is kept; raises `TooLong` when it is too much."""
        self._kept += size
        if self._kept > MOST_KEPT:
            raise TooLong(f"all replies together are longer than {MOST_KEPT >> 20} MiB")
