"""An upstream that a test scripts, and an app served beside it, to try tests out in a notebook.

`serving` gives what the tests of the exercise `catch-the-bug` are given. There, app and upstream
run in processes of their own; here all share this one, so a test that blocks blocks everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import traceback
from typing import TYPE_CHECKING, Any

import httpx

from unblocked._marker import defines, marked
from unblocked.rig.server import Server, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

LETTERS = "abcäéñøλЖя漢字日本😀🚲"
"""Of one to four bytes."""
_PROBES = 20
"""Answers to unknown paths after which an app's loop has turned often enough."""
_QUIET = 3
"""Rounds of probes without an event after which nothing moves any more."""
_HOPELESS = 20
"""Such rounds after which a test that waits, waits in vain."""
_HEAD = b"HTTP/1.1 %d Answer\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n"


class _Connection(asyncio.Protocol):
    """One connection to the upstream, and the call that it carries."""

    transport: asyncio.Transport

    def __init__(self, upstream: Upstream) -> None:
        self.upstream, self.text, self.status, self.told = upstream, "", 200, -1
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
        transport.set_write_buffer_limits(high=0)  # so that an unread body stays in flight
        self.transport = transport
        self.upstream._come(self)

    def data_received(self, data: bytes) -> None:
        """Begin the call: a GET has no body, so it comes in one piece."""
        self.text, self.status, self.told, self.busy = self.upstream._new_text(), 200, -1, True
        self.go_on()

    def go_on(self) -> None:
        """Send as much as the script allows."""
        until, losing = self.upstream._until, self.upstream._losing
        if self.busy and self.told < 0 and losing:
            self.transport.abort()
        elif self.busy and (until != 0 or self.status != 200):
            end = len(self.text) if until is None else min(until, len(self.text))
            self._send(end)
            if until is None and not self.transport.get_write_buffer_size():
                self.resume_writing()

    def _send(self, end: int) -> None:
        if self.told < 0:
            self.told = 0
            self.transport.write(_HEAD % (self.status, len(self.text.encode())))
        if self.told < end:
            self.transport.write(self.text[self.told : end].encode())
            self.told = end

    def fail(self, status: int) -> None:
        self.status = status
        self.go_on()

    def resume_writing(self) -> None:
        """Note that all that was sent has been taken."""
        self.busy = self.told < len(self.text)
        self.upstream._moves += 1

    def connection_lost(self, error: Exception | None) -> None:
        self.busy = False
        self.upstream._go(self)


class Upstream:
    """The other side of an app, scripted by a test. Its `url` is there from the beginning."""

    def __init__(self) -> None:
        self._socket = socket.socket(proto=socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/text"
        self._server: Server | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._open: set[_Connection] = set()
        self._begin()

    def _begin(self) -> None:
        self.calls, self.opened, self.size = 0, 0, 500_000
        self.texts: list[str] = []
        self._until: int | None = None
        self._losing, self._moves = False, 0

    def _come(self, connection: _Connection) -> None:
        self._open.add(connection)
        self.opened += 1
        self._moves += 1

    def _go(self, connection: _Connection) -> None:
        self._open.discard(connection)
        self._moves += 1

    def _new_text(self) -> str:
        self.calls += 1
        self._moves += 1
        text = f"{self.calls:016}" + LETTERS * (self.size // len(LETTERS) + 1)
        self.texts.append(text[: self.size])
        return self.texts[-1]

    @property
    def connections(self) -> int:
        """Connections that are open now, idle ones included."""
        return len(self._open)

    @property
    def in_flight(self) -> int:
        """Calls without an answer, and those whose body has not been taken whole."""
        return sum(connection.busy for connection in self._open)

    def hold(self, after: int = 0) -> None:
        """Keep every answer back, or the rest of each body after so many characters."""
        self._set(after)

    def release(self) -> None:
        """Send all that is held; hold nothing from now on."""
        self._set(None)

    def lose(self) -> None:
        """Drop the connection of each unanswered call, and of those that come until `release`."""
        self._set(0, losing=True)

    def _set(self, until: int | None, *, losing: bool = False) -> None:
        self._until, self._losing = until, losing
        for connection in list(self._open):
            connection.go_on()

    def fail(self, n: int = 1, status: int = 500) -> None:
        """Let `n` of the held calls have this status.

        Raises:
            AssertionError: fewer are held.
        """
        held = [c for c in self._open if c.busy and c.told < 0]
        assert len(held) >= n, f"{len(held)} calls are held without an answer, not {n}"
        for connection in held[:n]:
            connection.fail(status)

    async def held(self, n: int) -> None:
        """Wait until `n` calls are in flight together.

        Raises:
            AssertionError: they never are.
        """
        await self._until_quiet(lambda: self._held() >= n)
        found = self._held()
        assert found >= n, f"{found} of {n} calls in flight, and nothing moves any more"

    def _held(self) -> int:
        return sum(c.busy and c.status == 200 for c in self._open)

    async def settled(self) -> None:
        """Wait until the app has done all that it can do by itself."""
        await self._until_quiet(lambda: False)

    async def stop_app(self) -> None:
        """Shut the app down, and wait until it has settled."""
        await self._stop_server()
        await self.settled()

    async def _stop_server(self) -> None:
        """Stop the app's server, once, and to its end: whoever began it may have been cancelled."""
        if self._server:
            server, self._server = self._server, None
            self._stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        if self._stopping:
            await asyncio.shield(self._stopping)

    def stop(self) -> None:
        """Give its port back; it can be used no more."""
        self._socket.close()

    async def _until_quiet(self, enough: Callable[[], bool], rounds: int = _QUIET) -> None:
        quiet = 0
        async with httpx.AsyncClient(timeout=30) as probe:
            while not enough() and quiet < rounds:
                before = self._seen()
                await self._turn(probe)
                quiet = quiet + 1 if self._seen() == before else 0

    def _seen(self) -> tuple[int, int]:
        """Another one whenever something has happened, or an app has read some of a body."""
        return self._moves, sum(each.transport.get_write_buffer_size() for each in self._open)

    async def _turn(self, probe: httpx.AsyncClient) -> None:
        """Let the app's loop turn: it answers requests for an unknown path."""
        for _ in range(_PROBES):
            if self._server:
                with contextlib.suppress(httpx.HTTPError):  # it may be stopped meanwhile
                    await probe.get(f"{self._server.url}/no-such-path")
            else:
                await asyncio.sleep(0)


async def tried(test: Callable[..., Awaitable[None]], app: Any, upstream: Upstream) -> str:
    """Run a test on an app; return "" when it passes, else why it fails.

    What its own tasks raise is not shown: a test that fails does not await them any more.
    """
    loop = asyncio.get_running_loop()
    shown, others = loop.get_exception_handler(), asyncio.all_tasks()
    loop.set_exception_handler(lambda *_: None)
    try:
        return await _said(test, app, upstream)
    finally:
        left = [task for task in asyncio.all_tasks() if task not in others]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        gc.collect()  # so that those which nobody awaited are noticed now
        loop.set_exception_handler(shown)


async def _said(test: Callable[..., Awaitable[None]], app: Any, upstream: Upstream) -> str:
    async with serving(app, upstream) as url:
        running = asyncio.ensure_future(test(url, upstream))
        try:
            await upstream._until_quiet(running.done, _HOPELESS)
            if upstream._stopping:  # that takes the app a while, in which nothing moves
                await asyncio.wait([upstream._stopping])
                await upstream._until_quiet(running.done, _HOPELESS)
            if not running.done():
                return "it waits for what never comes: nothing moves any more"
            await running
        except Exception as error:
            return _told(error)
        finally:
            running.cancel()
            await asyncio.wait([running])
    return ""


def _told(error: Exception) -> str:
    """The error in a line; a bare `assert` by the line of the test that it is."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    bare = isinstance(error, AssertionError) and not str(error)
    return f"{type(error).__name__} {last.line if bare else error}".strip()


def latest_tests(namespace: Mapping[str, Any], slug: str) -> dict[str, Callable[..., Any]]:
    """Return the tests that the notebook's latest answer to this exercise defines, by name.

    `namespace` is the notebook's `globals()`: a test that was deleted from the answer is there yet.
    """
    answers = [source for source in namespace.get("In", ()) if marked(source) == slug]
    tests = {name: test for name, test in namespace.items() if name.startswith("test_")}
    return {name: test for name, test in tests.items() if answers and defines(answers[-1], name)}


@contextlib.asynccontextmanager
async def serving(app: Any, upstream: Upstream) -> AsyncIterator[str]:
    """Serve an app that calls `upstream.url`, with its upstream as new; yields the app's URL."""
    upstream._begin()
    loop = asyncio.get_running_loop()
    listening = upstream._socket.dup()
    server = await loop.create_server(lambda: _Connection(upstream), sock=listening)

    try:
        upstream._server = await asyncio.to_thread(serve, app)
        yield upstream._server.url
    finally:
        upstream.release()  # so that the app comes to its end, and not to an error
        await upstream._stop_server()
        for connection in list(upstream._open):
            connection.transport.abort()
        server.close()
        upstream._stopping = None
