"""A transport for HTTPX on asyncio and httptools alone: what the pool could cost at the least.

`httpx.AsyncClient(transport=LeanTransport(limits=…, verify=…))`. It knows HTTP/1.1 with keep-alive,
TLS, the four timeouts and the limits; no proxies, no HTTP/2, no retries. An idle connection is
taken from the end of a queue, and a request without a place waits in another, so that a call costs
the same however many of either there are.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict, deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import httptools
import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

Origin = tuple[str, bytes, str | None]
"""Scheme, host with port, and the name to verify where it is another."""
_BUFFERED = 256 * 1024
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class LeanTransport(httpx.AsyncBaseTransport):
    """One request in, one response out. `limits` and `verify` are as in HTTPX's own transport.

    `verify`: True (certifi's authorities, or those of SSL_CERT_FILE), False, or an `ssl.SSLContext`
    with authorities, and with a client's certificate, of your own. The extensions `timeout`,
    `sni_hostname` and `target` of a request are heeded.

    Give `limits` and `verify` here: of a client's arguments HTTPX passes none but `timeout` on to
    a transport that it is given, so its `verify`, `cert`, `limits` and `http2` go unheard. Cookies,
    redirects, authentication and decoding are the client's and work as ever.

    What it does not do:

    - proxies: HTTPX asks none of the environment when it is given a transport; a client's `proxy`
      or `mounts` bring transports of their own, which then serve instead of this one.
    - HTTP/2 and upgrades: HTTP/1.1 is spoken; an answer 101 is a `RemoteProtocolError`.
    - retries: a server that closes an idle connection just as it is used is an error of the call.
    - `cert`, `uds`, `local_address`, `socket_options`: such an argument is a `TypeError`.
    - the extension `trace`, and `network_stream` in answers.
    - trio: it runs on asyncio, and on one event loop as long as it lives.
    """

    def __init__(
        self,
        *,
        limits: httpx.Limits | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        limits = limits or httpx.Limits(max_connections=100, max_keepalive_connections=20)
        self._verify = verify
        self._places = _Places(limits.max_connections)
        self._idle = _Idle(limits)
        self._tls: ssl.SSLContext | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange. Raises what HTTPX's own transport raises, all of `httpx.TransportError`.

        `ConnectError`: nobody there, no such host, a certificate that does not hold;
        `UnsupportedProtocol`: neither http nor https, or no host; `ConnectTimeout` (the handshake
        included), `WriteTimeout`, `ReadTimeout`, `PoolTimeout`: a clock has run out;
        `LocalProtocolError`: a request that must not be sent as it is; `RemoteProtocolError`,
        `ReadError`, `WriteError`: the server said something else than HTTP, or left.
        """
        clocks: dict[str, float | None] = request.extensions.get("timeout", {})
        head = _head(request)
        await self._places.take(clocks.get("pool"))
        connection: _Connection | None = None
        try:
            connection = await self._connection(request, clocks.get("connect"))
            await _send(connection, request, head, clocks.get("write"))
            await connection.until_head(clocks.get("read"))
        except BaseException:
            if connection is not None:
                connection.close()
            self._places.give()
            raise
        return httpx.Response(
            connection.status,
            headers=connection.headers,
            stream=_Body(connection, clocks.get("read"), self._after),
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": connection.reason},
        )

    async def aclose(self) -> None:
        """Close what is idle; what is in use closes when it has been read."""
        self._idle.close()

    async def _connection(self, request: httpx.Request, patience: float | None) -> _Connection:
        url = request.url
        origin = (url.scheme, url.netloc, request.extensions.get("sni_hostname"))
        found = self._idle.take(origin)
        if found is not None:
            return found
        _check_speakable(url)
        self._places.make_room(self._idle)
        try:
            async with asyncio.timeout(patience):
                return await self._open(origin, url)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("connecting took too long") from error
        except (OSError, ValueError) as error:  # A name that cannot be one is a ValueError.
            raise httpx.ConnectError(str(error)) from error

    async def _open(self, origin: Origin, url: httpx.URL) -> _Connection:
        secure = url.scheme == "https"
        host = url.raw_host.decode("ascii")
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: _Connection(loop, origin),
            host,
            url.port or (443 if secure else 80),
            ssl=self._tls_context() if secure else None,
            server_hostname=(origin[2] or host) if secure else None,
        )
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        self._tls = self._tls or httpx.create_ssl_context(verify=self._verify)
        return self._tls

    def _after(self, connection: _Connection) -> None:
        if connection.reusable:
            self._idle.put(connection)
        else:
            connection.close()
        self._places.give()


class _Places:
    """So many exchanges at once; who comes first is served first."""

    def __init__(self, most: int | None) -> None:
        self._most = most if most is not None else 1 << 30
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self, patience: float | None) -> None:
        if self._taken < self._most:
            self._taken += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(patience):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.give()  # It came at the same moment: the next one may have it.
            if isinstance(error, TimeoutError):
                raise httpx.PoolTimeout("no connection became free in time") from error
            raise

    def give(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._taken -= 1

    def make_room(self, idle: _Idle) -> None:
        """A connection is to be opened: idle ones of other origins may have to go."""
        while idle.count and self._taken + idle.count > self._most:
            idle.close_oldest()


class _Idle:
    """Connections that are open and free, the one used last on top."""

    def __init__(self, limits: httpx.Limits) -> None:
        most = limits.max_keepalive_connections
        self._most = most if most is not None else 1 << 30
        expiry = limits.keepalive_expiry
        self._expiry = expiry if expiry is not None else float("inf")
        self._of: defaultdict[Origin, deque[_Connection]] = defaultdict(deque)
        self.count = 0

    def take(self, origin: Origin) -> _Connection | None:
        free = self._of[origin]
        oldest = time.monotonic() - self._expiry
        while free:
            connection = free.pop()
            self.count -= 1
            if connection.reusable and connection.idle_since >= oldest:
                return connection
            connection.close()
        return None

    def put(self, connection: _Connection) -> None:
        if self._most == 0:
            connection.close()
            return
        while self.count >= self._most:
            self.close_oldest()
        connection.idle_since = time.monotonic()
        self._of[connection.origin].append(connection)
        self.count += 1

    def close_oldest(self) -> None:
        free = min(filter(None, self._of.values()), key=lambda free: free[0].idle_since)
        free.popleft().close()
        self.count -= 1

    def close(self) -> None:
        while self.count:
            self.close_oldest()


class _Connection(asyncio.Protocol):
    """One connection, and the answer that is coming on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, origin: Origin) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._news: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._error: httpx.TransportError | None = None
        self._transport: Any = None
        self._closed = False
        self._in_use = False
        self._forget()

    def _forget(self) -> None:
        self.status = 0
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self._buffered = 0
        self._keep = False
        self._has_head = False
        self._bodiless = False
        self.complete = False

    @property
    def has_head(self) -> bool:
        """Whether status and headers of the answer are there."""
        return self._has_head

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent on it."""
        return not self._closed and self._keep and self.complete and self._error is None

    def close(self) -> None:
        self._closed = True
        if self._transport is not None:
            self._transport.abort()

    # --- what the caller does ---

    def begin(self, *, bodiless: bool) -> None:
        self._forget()
        self._bodiless = bodiless
        self._in_use = True

    async def write(self, data: bytes, patience: float | None) -> None:
        if self._closed:
            raise self._error or httpx.WriteError("the server has closed the connection")
        self._transport.write(data)
        if self._writable is not None:
            await self._wait(self._writable, patience, httpx.WriteTimeout)

    async def until_head(self, patience: float | None) -> None:
        while not self._has_head:
            await self._until_news(patience)

    async def body(self, patience: float | None) -> AsyncIterator[bytes]:
        while True:
            if self.pieces:
                data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
                self.pieces.clear()
                if self._buffered > _BUFFERED and not self._closed:
                    self._transport.resume_reading()
                self._buffered = 0
                yield data
            elif self.complete:
                self._in_use = False
                return
            else:
                await self._until_news(patience)

    async def _until_news(self, patience: float | None) -> None:
        if self._error is not None:
            raise self._error
        self._news = self._loop.create_future()
        await self._wait(self._news, patience, httpx.ReadTimeout)

    async def _wait(
        self,
        future: asyncio.Future[None],
        patience: float | None,
        late: Callable[[str], httpx.TransportError],
    ) -> None:
        if patience is None:
            await future
            return
        clock = self._loop.call_later(patience, _expire, future, late)
        try:
            await future
        finally:
            clock.cancel()

    # --- what asyncio calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._in_use:
            self.close()  # Nobody has asked for anything.
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._error = httpx.RemoteProtocolError(f"{type(error).__name__}: {error}")
            self.close()
        if self._has_head or self._error is not None:
            self._tell()

    def connection_lost(self, error: Exception | None) -> None:
        self._closed = True
        names = {name.lower() for name, _ in self.headers}
        framed = names & {b"content-length", b"transfer-encoding"}
        if self._has_head and not framed and error is None:
            self.complete = True  # A body without a length ends with its connection.
        elif not self.complete and self._error is None:
            self._error = _loss(error)
        self._tell()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    # --- what httptools calls ---

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status >= 200:
            self._has_head = True
            self.complete = self._bodiless

    def on_body(self, data: bytes) -> None:
        if self._bodiless:
            return  # HEAD: whatever comes after the headers is not the answer's body.
        self.pieces.append(data)
        self._buffered += len(data)
        if self._buffered > _BUFFERED:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._has_head:
            self.complete = True
            self._keep = self._parser.should_keep_alive() and not self._bodiless
        else:
            self._forget()  # It was "100 Continue": the answer is still to come.


def _expire(future: asyncio.Future[None], late: Callable[[str], httpx.TransportError]) -> None:
    if not future.done():
        future.set_exception(late("the server took too long"))


def _loss(error: Exception | None) -> httpx.TransportError:
    if error is None:
        return httpx.RemoteProtocolError("the server closed before its answer was complete")
    return httpx.ReadError(str(error))


class _Body(httpx.AsyncByteStream):
    """The body of an answer; closing it gives the connection back."""

    def __init__(
        self,
        connection: _Connection,
        patience: float | None,
        after: Callable[[_Connection], None],
    ) -> None:
        self._connection = connection
        self._patience = patience
        self._after: Callable[[_Connection], None] | None = after

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._connection.body(self._patience):
            yield data

    async def aclose(self) -> None:
        if self._after is not None:
            after, self._after = self._after, None
            after(self._connection)


class _Head(NamedTuple):
    """A request up to its body, and how the body is framed."""

    data: bytes
    length: bytes
    """Of the body, as the headers say it; empty when they do not."""
    chunked: bool

    def check(self, sent: int) -> None:
        """Raises `httpx.LocalProtocolError` unless so many bytes are what was said."""
        if not self.chunked and self.length != b"%d" % sent and (sent or self.length):
            said = self.length.decode("ascii", "replace") or "none"
            raise httpx.LocalProtocolError(f"the body has {sent} bytes, Content-Length is {said}")


def _head(request: httpx.Request) -> _Head:
    lines = [_method(request.method), b" ", _target(request), b" HTTP/1.1\r\n"]
    raw = request.headers.raw
    length, chunked = b"", False
    for name, value in raw:
        lines += (name, b": ", value, b"\r\n")
        small = name.lower()
        if small == b"content-length":
            length = value
        elif small == b"transfer-encoding":
            chunked = True
    head = b"".join([*lines, b"\r\n"])
    if head.count(b"\n") != len(raw) + 2 or head.count(b"\r") != len(raw) + 2:
        raise httpx.LocalProtocolError("a header must not contain a line break")
    if length and chunked:
        raise httpx.LocalProtocolError("Content-Length and Transfer-Encoding exclude each other")
    return _Head(head, length, chunked)


@lru_cache(maxsize=64)
def _method(name: str) -> bytes:
    if not _TOKEN.fullmatch(name):
        raise httpx.LocalProtocolError(f"{name!r} is no method")
    return name.encode("ascii")


def _target(request: httpx.Request) -> bytes:
    target = request.extensions.get("target")
    if target is None:
        return request.url.raw_path
    if not isinstance(target, bytes) or not target or b" " in target:
        raise httpx.LocalProtocolError(f"{target!r} is no target of a request")
    return target


def _check_speakable(url: httpx.URL) -> None:
    if url.scheme not in ("http", "https") or not url.host:
        raise httpx.UnsupportedProtocol(f"http:// or https:// and a host are needed, not {url}")


async def _send(
    connection: _Connection, request: httpx.Request, head: _Head, patience: float | None
) -> None:
    connection.begin(bodiless=request.method == "HEAD")
    try:
        await _send_all(connection, request, head, patience)
    except httpx.WriteError:
        if not connection.has_head:  # Else it has answered without wanting the rest.
            raise


async def _send_all(
    connection: _Connection, request: httpx.Request, head: _Head, patience: float | None
) -> None:
    try:
        content = request.content
    except httpx.RequestNotRead:
        await connection.write(head.data, patience)
        await _send_pieces(connection, request, head, patience)
        return
    head.check(len(content))
    body = _chunk(content) + _LAST if head.chunked else content
    await connection.write(head.data + body, patience)


async def _send_pieces(
    connection: _Connection, request: httpx.Request, head: _Head, patience: float | None
) -> None:
    assert isinstance(request.stream, httpx.AsyncByteStream)
    sent = 0
    async for data in request.stream:
        sent += len(data)
        if data:
            await connection.write(_chunk(data) if head.chunked else data, patience)
    head.check(sent)
    if head.chunked:
        await connection.write(_LAST, patience)


_LAST = b"0\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
