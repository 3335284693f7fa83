"""The other side of an answer: an upstream that holds its replies until a check lets them go.

It runs in the marker, on a socket made in the answer's own network, and sees what the answer does:
calls, connections, and bodies that nobody reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import secrets
import socket
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from aiohttp import web

from unblocked.grading.checks.expect import expect
from unblocked.rig.origin import Origin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    Expects = str | Callable[["Call"], bool]
    """Which calls an upstream knows: one "METHOD /path?query", or a function of the call."""

_LETTERS = ("abcdefghjkmnpqrstuvwxyz", "äéñøßščžΩλЖя", "漢字日本語", "😀🚲🌍")
"""Of one, two, three and four bytes."""


MOST_CALLS = 5_000
"""Calls in a run after which an upstream takes no more: each is kept."""
MOST_OPEN = 400
"""Connections at a time after which further ones are dropped."""
ACCEPTED_AT_ONCE = 50
"""Connections taken in a turn of the loop; those beyond `MOST_OPEN` go a few turns later."""
MOST_BYTES = 32 << 20
"""Bytes of requests in a run after which an upstream takes no more."""

MOST_JSON = 1 << 20
"""Bytes of JSON that are parsed."""
MOST_NOTED = 20
"""Calls that nobody had asked for, as many as are kept."""
_BARE = (204, 304)
"""Statuses without a body."""
_TURNS_OF_AN_ACCEPT = 5
"""Turns of the loop until a connection that was just accepted has been made and dropped."""


_FILLER = "".join(random.choice(letters) for _ in range(250) for letters in _LETTERS)


async def turns_of_an_accept() -> None:
    """Turn the loop until what is on its way to an upstream has arrived there."""
    for _turn in range(_TURNS_OF_AN_ACCEPT):
        await asyncio.sleep(0)


def secret_text(size: int) -> str:
    """`size` characters that begin with a secret, many of them of several bytes, no newline.

    Those of two texts at the same place have equally many bytes: whoever counts bytes instead of
    characters fares alike with each.
    """
    begin = random.randrange(0, len(_FILLER), len(_LETTERS))
    filler = _FILLER[begin:] + _FILLER * (size // len(_FILLER) + 1)
    return (secrets.token_hex(8) + filler)[:size]


def size_of(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Bytes of these headers' names and values."""
    return sum(len(name) + len(value) for name, value in headers)


def _raw(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


class _Response(web.StreamResponse):
    """One whose headers wait for the first write, as those of aiohttp's own `Response` do."""

    _send_headers_immediately = False


class Call:
    """One request that reached the upstream, and the means to answer it piece by piece."""

    def __init__(
        self, upstream: Upstream, request: web.BaseRequest, body: bytes, text: str, number: int
    ) -> None:
        self.upstream = upstream
        self.request = request
        self.body = body
        self.text = text
        self.number = number
        self.method = request.method
        self.path, _, query = request.raw_path.partition("?")
        """The path as it was sent, still percent-encoded."""
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        self.headers = request.headers
        self.completed = False
        self.begun = time.monotonic()
        self._response: web.StreamResponse | None = None

    async def head(
        self,
        status: int = 200,
        *,
        length: int | None = None,
        first: str | bytes = b"",
        **headers: str,
    ) -> None:
        """Send status and headers, in one go with the `first` piece of the body.

        Without `length` (bytes) the body goes in chunks.
        """
        await self._begin(status, length, headers)
        await self.send(first)

    async def _begin(self, status: int, length: int | None, headers: dict[str, str]) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("content-type", "text/plain; charset=utf-8")
        response = self._response = _Response(status=status, headers=named)
        if length is not None:
            response.content_length = length
        await response.prepare(self.request)

    async def send(self, data: str | bytes) -> None:
        """Send a piece of the body; waits while the other side does not read."""
        assert self._response is not None
        await self._response.write(self._body(data))

    async def finish(self, data: str | bytes = b"") -> None:
        """End the body, in one go with its last piece."""
        assert self._response is not None
        await self._response.write_eof(self._body(data))
        self.completed = True

    def _body(self, data: str | bytes) -> bytes:
        """What goes out of it: nothing, where a body would be taken for the next response."""
        assert self._response is not None
        bare = self.method == "HEAD" or self._response.status in _BARE
        return b"" if bare else _raw(data)

    async def reply(self, data: str | bytes, status: int = 200, **headers: str) -> None:
        """Send a whole response at once."""
        raw = _raw(data)
        await self._begin(status, len(raw), headers)
        await self.finish(raw)

    def break_off(self) -> None:
        """Drop the connection in the middle of whatever is being sent."""
        if self.request.transport:
            self.request.transport.abort()


class Upstream:
    """An HTTP server on `sock` that hands each call to `script`.

    `in_flight` counts calls whose script has not ended: those being held, and those whose body the
    other side does not take. A script is cancelled when the other side drops the connection. The
    `send_buffer` (bytes) is small, so that a body that nobody reads stays with the upstream instead
    of vanishing into the system.
    """

    def __init__(
        self,
        sock: socket.socket,
        script: Callable[[Call], Awaitable[None]],
        changed: Callable[[], None],
        *,
        expects: Expects = "GET /quote",
        text_size: int = 400,
        send_buffer: int = 64 << 10,
    ) -> None:
        self.expects = expects
        self.others: list[str] = []
        """Calls that nobody had asked for, as "METHOD /path"."""
        self.look_at_others = "method, path and query of each call, as the statement names them"
        """What the failure says that such a call brings."""
        self.sock = sock
        self.changed = changed
        self.send_buffer = send_buffer
        self.live: set[Call] = set()
        self.port = 0
        self.url = ""
        self.origin = Origin(self._answer, most_open=MOST_OPEN)
        self._arrival = asyncio.Event()
        self.begin(script, text_size=text_size)

    def begin(self, script: Callable[[Call], Awaitable[None]], *, text_size: int = 400) -> None:
        """Follow this script from now on, and count anew; connections stay as they are."""
        self.script, self.text_size = script, text_size
        self.calls: list[Call] = []
        self.others = []
        self.peak = 0
        self.peak_open = 0
        """The most connections open at one time."""
        self.released = asyncio.Event()
        """For scripts that hold until the check says go."""
        self._turns = asyncio.Semaphore(0)
        self._bytes = 0
        self._longest = 0.0
        self._opened_before = self.origin.opened

    async def __aenter__(self) -> Upstream:
        self._bind(self.sock)
        try:
            await self._listen(self.sock)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    def _bind(self, sock: socket.socket) -> None:
        if os.name == "posix":  # what is left of dropped connections would hold the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.send_buffer)
        sock.bind(("127.0.0.1", self.port))
        self.port = sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    async def _listen(self, sock: socket.socket) -> None:
        self.sock = sock
        self.server = await asyncio.get_running_loop().create_server(
            self.origin, sock=sock, backlog=ACCEPTED_AT_ONCE, start_serving=False
        )
        await self.server.start_serving()  # cancelled here, there is a server to close
        sock.listen(500)

    async def _stop_listening(self) -> None:
        """Accept no more, and close when those that were accepted have become connections.

        A server that is closed in between forgets them: asyncio's transports then refuse to be made
        (CPython 3.11's `Server._attach`), and their sockets are nobody's.
        """
        if not self.server.is_serving():  # it was interrupted while it was away
            return
        with contextlib.suppress(NotImplementedError):  # Windows' loop has no readers
            asyncio.get_running_loop().remove_reader(self.sock)
        try:
            await turns_of_an_accept()
        finally:
            self.server.close()

    @contextlib.asynccontextmanager
    async def away(self, sock: socket.socket) -> AsyncIterator[None]:
        """Cannot be reached meanwhile: all connections are dropped, nobody listens.

        Afterwards it listens at the same port again, on `sock`, a blank one of the same network.
        """
        try:
            await self._leave()
            self._bind(sock)  # without listening, it only keeps the port
        except BaseException:
            sock.close()
            raise
        try:
            yield
        finally:
            await self._listen(sock)

    async def _leave(self) -> None:
        await self._stop_listening()
        self.origin.drop_all()
        while self.origin.open:  # noqa: ASYNC110 - they end within a turn or two
            await asyncio.sleep(0)

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._stop_listening()
        finally:
            self.origin.refuse()
        while self.live or self.origin.open:  # noqa: ASYNC110 - they end within a turn or two
            await asyncio.sleep(0)
        await turns_of_an_accept()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self._bytes += len(request.raw_path) + size_of(request.raw_headers)
        body = await self._body(request)
        if self._bytes > MOST_BYTES or len(self.calls) >= MOST_CALLS:
            self.origin.refuse()
            return web.Response(status=503)
        call = Call(self, request, body, secret_text(self.text_size), len(self.calls))
        if not self._knows(call):
            return self._refused(call)
        self.calls.append(call)
        self.live.add(call)
        self.peak = max(self.peak, len(self.live))
        self.peak_open = max(self.peak_open, self.open)
        self._arrival.set()
        self.changed()
        try:
            with contextlib.suppress(ConnectionError):
                await self.script(call)
        finally:
            self._longest = max(self._longest, time.monotonic() - call.begun)
            self.live.discard(call)
            self.changed()
        return call._response or web.Response(status=204)

    def _knows(self, call: Call) -> bool:
        if callable(self.expects):
            return self.expects(call)
        return f"{call.method} {call.request.raw_path}" == self.expects

    def _refused(self, call: Call) -> web.Response:
        """Note a call that nobody had asked for: 405 where only its method is another."""
        if len(self.others) < MOST_NOTED:
            self.others.append(f"{call.method} {call.request.raw_path[:200]}")
        self.changed()
        path = self.expects.partition(" ")[2] if isinstance(self.expects, str) else ""
        return web.Response(status=405 if call.request.raw_path == path else 404)

    def expect_no_other_call(self) -> None:
        """Raise `Failed` when a call came that nobody had asked for."""
        wanted = self.expects if isinstance(self.expects, str) else "the calls of the statement"
        expect(
            not self.others,
            saw=f"an upstream call {', '.join(self.others[:3])}, answered with 404 or 405",
            expected=f"{wanted}, and no other",
            look=self.look_at_others,
        )

    async def _body(self, request: web.BaseRequest) -> bytes:
        body = bytearray()
        async for piece in request.content.iter_any():
            body += piece
            self._bytes += len(piece)
            if self._bytes > MOST_BYTES:
                break
        return bytes(body)

    async def arrived(self, calls: int) -> None:
        """For scripts: wait until so many calls have come in all."""
        while len(self.calls) < calls:
            self._arrival.clear()
            await self._arrival.wait()

    @property
    def in_flight(self) -> int:
        """Calls that are held, or whose body is not being taken."""
        return len(self.live)

    @property
    def longest(self) -> float:
        """Seconds for which the call that took longest was in flight, or is."""
        now = time.monotonic()
        return max([self._longest, *(now - call.begun for call in self.live)])

    @property
    def open(self) -> int:
        """Connections open now, idle ones included."""
        return self.origin.open

    @property
    def opened(self) -> int:
        """Connections opened since it began with its script."""
        return self.origin.opened - self._opened_before

    def give_turn(self) -> None:
        """Let a script go on that waits for a turn."""
        self._turns.release()

    async def turn(self) -> None:
        """For scripts: wait until the check gives the next turn."""
        await self._turns.acquire()

    async def hold(self, call: Call) -> None:
        """A script: hold the call until released, then reply with its text."""
        await self.released.wait()
        await call.reply(call.text)


async def at_once(call: Call) -> None:
    """A script: reply with the call's text."""
    await call.reply(call.text)


def in_pieces(text: str) -> tuple[bytes, bytes]:
    """The first 60 characters as two pieces of bytes, cut inside a character where one allows.

    The first piece of a long text has more than 50 bytes, and fewer than 50 characters.
    """
    raw = text[:60].encode()
    near = min(60, len(raw) // 2)
    cut = next((i for i in range(near, len(raw)) if raw[i] & 0xC0 == 0x80), near)
    return raw[:cut], raw[cut:]


async def piece_by_piece(call: Call) -> None:
    """A script: reply with the call's text, its beginning in the two pieces of `in_pieces`."""
    first, second = in_pieces(call.text)
    await call.head(first=first)
    await call.send(second)
    await call.finish(call.text[60:])


def json_of(call: Call) -> Any:
    """The JSON that the call sent, or None."""
    return as_json(call.body)


def as_json(body: bytes) -> Any:
    """A body as JSON; None when it is none, nested too deep, or longer than 1 MiB.

    Parsed, JSON takes thirty times its size in memory, which is the marker's.
    """
    if len(body) <= MOST_JSON:
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(body)
    return None
