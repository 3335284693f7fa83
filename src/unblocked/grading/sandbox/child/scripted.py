"""Runs a learner's test in its own process; the test is given an address and an upstream to script.

The app, the upstream and the verdict live elsewhere. What a test does to its upstream goes over a
line to the marker, one message and one reply at a time.
"""

from __future__ import annotations

import asyncio
import inspect
import linecache
import socket
import traceback
from typing import TYPE_CHECKING, Any

from unblocked.grading.sandbox.child import channel

if TYPE_CHECKING:
    from collections.abc import Callable

LETTERS = "abcäéñøλЖя漢字日本😀🚲"
"""Of one to four bytes, so that whoever counts bytes is found out."""
_PARAMETERS = {"url", "upstream"}


LARGEST = 1_000_000
"""Characters of the longest text."""
_FILLER = LETTERS * (LARGEST // len(LETTERS) + 1)


def text_of(secret: str, size: int) -> str:
    """Return a call's text: `size` characters that begin with its secret."""
    return piece_of(secret, 0, size)


def piece_of(secret: str, begin: int, end: int) -> str:
    """Return the characters of a call's text from `begin` to before `end`,
    without making the rest.
    """
    skipped = len(secret)
    return secret[begin:end] + _FILLER[max(begin - skipped, 0) : max(end - skipped, 0)]


class Never(AssertionError):
    """A test waits for something that cannot happen any more."""


class RemoteUpstream:
    """The upstream as a test scripts it: each method is a message to the marker, where the upstream
    lives.
    """

    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key
        self._line = socket.create_connection(("127.0.0.1", port))
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _ask(self, what: str, **args: Any) -> Any:
        return _value(channel.ask(self._line, self._message(what, args)))

    def _message(self, what: str, args: dict[str, Any]) -> dict[str, Any]:
        return {"do": what, "key": self._key, **args}

    async def _wait(self, what: str, **args: Any) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(channel.encode(self._message(what, args)))
            _value(await channel.read(reader))
        finally:
            writer.close()

    def hold(self, after: int = 0) -> None:
        """Keep every answer back, or the rest of each body after so many characters."""
        self._ask("hold", after=after)

    def hold_bodies(self, after: int = 60) -> None:
        """Do the same as `hold(after=60)`."""
        self.hold(after)

    def release(self) -> None:
        """Send all that is held; hold nothing from now on."""
        self._ask("release")

    def fail(self, n: int = 1, status: int = 500) -> None:
        """Let `n` of the calls that are held have this status; their bodies stay held."""
        self._ask("fail", n=n, status=status)

    def lose(self) -> None:
        """Drop the connection of each call that is held, and of those that come until `release`."""
        self._ask("lose")

    async def held(self, n: int) -> None:
        """Wait until `n` calls are in flight together; an `AssertionError` when they never are."""
        await self._wait("held", n=n)

    async def settled(self) -> None:
        """Wait until the app has done all that it can do by itself."""
        await self._wait("settled")

    async def stop_app(self) -> None:
        """Shut the app down, and wait until it has settled; its process lives on."""
        await self._wait("stop_app")

    def close(self) -> None:
        """Close the line."""
        self._line.close()

    @property
    def calls(self) -> int:
        """Calls that have arrived."""
        return int(self._ask("state")["calls"])

    @property
    def opened(self) -> int:
        """Connections that were ever opened."""
        return int(self._ask("state")["opened"])

    @property
    def connections(self) -> int:
        """Connections that are open now, idle ones included."""
        return int(self._ask("state")["connections"])

    @property
    def in_flight(self) -> int:
        """Calls without an answer, and those whose body has not been read to its end."""
        return int(self._ask("state")["in_flight"])

    @property
    def texts(self) -> list[str]:
        """The whole text of each call, in the order in which they came."""
        return [text_of(secret, size) for secret, size in self._ask("state")["texts"]]

    @property
    def size(self) -> int:
        """Characters of each text from now on."""
        return int(self._ask("state")["size"])

    @size.setter
    def size(self, characters: int) -> None:
        self._ask("size", characters=characters)


def _value(reply: dict[str, Any]) -> Any:
    if error := reply.get("error"):
        raise Never(error)
    return reply.get("value")


def tests_of(module: Any) -> list[str]:
    """Return the names of a module's test functions, in their order."""
    return [n for n, v in vars(module).items() if n.startswith("test_") and callable(v)]


async def run(test: Callable[..., Any], url: str, port: int, key: str, file: str) -> str:
    """Run one test; return "" when it passes, else what it raised, with its line in `file`."""
    before = asyncio.all_tasks()
    upstream = RemoteUpstream(port, key)
    try:
        await _call(test, {"url": url, "upstream": upstream})
    except BaseException as error:
        return _describe(error, file)
    finally:
        await _end(asyncio.all_tasks() - before)
        upstream.close()
    return ""


async def _call(test: Callable[..., Any], given: dict[str, Any]) -> None:
    wanted = set(inspect.signature(test).parameters)
    if not wanted <= _PARAMETERS:
        raise TypeError(f"a test takes `url` and `upstream`, not {', '.join(wanted - _PARAMETERS)}")
    made = test(**{name: given[name] for name in wanted})
    if not inspect.isawaitable(made):
        raise TypeError("a test is an `async def` function")
    await made


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel what a test has left behind."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=1)


def _describe(error: BaseException, file: str) -> str:
    """Return what was raised, in one line: the error, and the line of the test."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    number = lines[-1] if lines else None
    code = linecache.getline(file, number).strip() if number else ""
    what = str(error).strip() or code
    kind = "" if isinstance(error, Never) else f"{type(error).__name__}: "
    return f"{kind}{what}"[:300] + (f" (line {number})" if number else "")
