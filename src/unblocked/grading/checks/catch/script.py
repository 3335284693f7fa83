"""The upstream of an app, scripted by a test: in the marker, on a socket of the app's network."""

from __future__ import annotations

import asyncio
import random
import secrets
from typing import TYPE_CHECKING, Any

from unblocked.grading.sandbox.child.scripted import LARGEST, piece_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from unblocked.grading.checks.app import App
    from unblocked.grading.checks.upstream import Call, Upstream

PATH = "/text"
SIZE = 500_000
"""Characters of a text by default: more than the system takes for an app that does not read."""
PIECE = 20
"""Characters of the first pieces of a body: an app that takes the first for the whole is wrong."""
IN_PIECES = 100
"""Characters that come in such pieces; the rest comes in large ones."""
LARGE = 32 << 10
MOST_CALLS = 1_000


class ScriptError(Exception):
    """A test asked its upstream for what it cannot do; the text says what it can."""


class Script:
    """What a test has told its upstream: hold, hold after so many characters, release, fail, lose.

    Args:
        changed: called when the script goes on, so that who waits looks again.
    """

    upstream: Upstream

    def __init__(self, changed: Callable[[], None]) -> None:
        self.changed = changed
        self.texts: list[tuple[str, int]] = []
        self.size = SIZE
        self._until: int | None = None
        """Characters after which a body is held; 0 holds the whole answer, None nothing."""
        self._losing = False
        self._unanswered: dict[Call, int] = {}
        """Calls that are held and have no head yet, with the status that they are to have."""
        self._failed = 0
        """Calls that are in flight with a bad status: their bodies are held."""
        self._turn = asyncio.Event()

    async def begin(self, app: App) -> None:
        """Make the upstream, in the app's network."""
        self.upstream = await app.upstream(self._play, expects=f"GET {PATH}")

    @property
    def url(self) -> str:
        """Where the app finds it."""
        return f"{self.upstream.url}{PATH}"

    # --- what the test says ----------------------------------------------------------------------

    def hold(self, after: int) -> None:
        """Hold all, or each body after so many characters."""
        _expect_number("hold(after=…)", after, 0, LARGEST)
        self._set(after)

    def release(self) -> None:
        """Hold nothing, lose nothing."""
        self._set(None)

    def lose(self) -> None:
        """Drop the connections of calls without an answer, now and until something else is said."""
        self._set(0)
        self._losing = True

    def _set(self, until: int | None) -> None:
        self._until, self._losing = until, False
        self._go_on()

    def fail(self, n: int, status: int) -> None:
        """Let some of the calls that are held have this status."""
        _expect_number("fail(n)", n, 1, MOST_CALLS)
        _expect_number("fail(status=…)", status, 400, 599)
        held = [call for call, given in self._unanswered.items() if given == 200]
        if len(held) < n:
            say = f"{len(held)} calls are held without an answer, not {n}: `upstream.hold()`, then"
            raise ScriptError(f"{say} `await upstream.held({n})`, and `fail` after that")
        for call in random.sample(held, n):
            self._unanswered[call] = status
        self._go_on()

    def resize(self, characters: int) -> None:
        """Let each text have so many characters from now on."""
        _expect_number("size", characters, 1, LARGEST)
        self.size = characters

    def state(self) -> dict[str, Any]:
        """What a test may count."""
        return {
            "calls": len(self.upstream.calls),
            "opened": self.upstream.opened,
            "connections": self.upstream.open,
            "in_flight": self.upstream.in_flight,
            "texts": self.texts,
            "size": self.size,
        }

    @property
    def held(self) -> int:
        """Calls in flight that have not failed."""
        return self.upstream.in_flight - self._failed

    def moves(self) -> tuple[int, ...]:
        """Another tuple whenever something has happened at the upstream."""
        upstream = self.upstream
        return len(upstream.calls), upstream.opened, upstream.open, upstream.in_flight

    # --- what it does ----------------------------------------------------------------------------

    def _go_on(self) -> None:
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()
        self.changed()

    async def _play(self, call: Call) -> None:
        secret, size = secrets.token_hex(8), self.size
        self.texts.append((secret, size))
        status = await self._status_of(call)
        if self._losing:
            call.break_off()
            return
        self._failed += status != 200
        try:
            await self._send(call, status, secret, size)
        finally:
            self._failed -= status != 200

    async def _send(self, call: Call, status: int, secret: str, size: int) -> None:
        told = min(PIECE, max(self._allowed(size), 1), size)
        await call.head(status, first=piece_of(secret, 0, told))
        while told < size or self._until is not None:
            end = min(self._allowed(size), size)
            if told < end:
                piece = min(end, told + (PIECE if told < IN_PIECES else LARGE))
                await call.send(piece_of(secret, told, piece))
                told = piece
            else:
                await self._turn.wait()
        await call.finish()

    def _allowed(self, size: int) -> int:
        return size if self._until is None else self._until

    async def _status_of(self, call: Call) -> int:
        """Hold the call until it may be answered, and return its status."""
        self._unanswered[call] = 200
        try:
            while self._until == 0 and not self._losing and self._unanswered[call] == 200:
                await self._turn.wait()
            return self._unanswered[call]
        finally:
            del self._unanswered[call]


def _expect_number(what: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ScriptError(f"{what} is a whole number from {least} to {most}, not {value!r}"[:200])
