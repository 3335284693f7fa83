"""What a check says: what is called, what it expects, and how it fails."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CALLED: ContextVar[str] = ContextVar("called", default="GET /")


class Failed(Exception):
    """A criterion is not met: what was called, seen and expected, and where to look next.

    Args:
        called: what was called; what the enclosing `called` block says when it is left out.
        saw, expected: what was seen, and what a right answer shows.
        look: what to look at next: it fits the mistake that was seen, or is left out.
        certain: whether another try can show nothing else: not so when patience ran out while
            something could still have moved.
    """

    def __init__(
        self,
        *,
        saw: object,
        expected: str,
        look: str = "",
        called: str | None = None,
        certain: bool = True,
    ) -> None:
        self.called = _CALLED.get() if called is None else called
        self.saw, self.expected, self.look, self.certain = str(saw), expected, look, certain
        lines = [f"Called: {self.called}", f"Saw: {self.saw}", f"Expected: {expected}"]
        super().__init__("\n".join([*lines, f"Look at: {look}"] if look else lines))


@contextlib.contextmanager
def called(what: str) -> Iterator[None]:
    """Name what is called in this block: every failure within it says so."""
    token = _CALLED.set(what)
    try:
        yield
    finally:
        _CALLED.reset(token)


def now_called() -> str:
    """Return what the enclosing `called` block names."""
    return _CALLED.get()


def expect(met: object, *, saw: object, expected: str, look: str = "") -> None:
    """Raise `Failed` unless `met` is true."""
    if not met:
        raise Failed(saw=saw, expected=expected, look=look)
