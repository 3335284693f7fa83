"""What an upstream replies, what it counted, and the calls that it got."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from unblocked.rig import _values


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How a path of an upstream answers.

    The body is UTF-8 text without newlines, some of its characters longer than a byte, that begins
    with a token of 16 characters, different in each response. `json` or `echo` replace it.

    Raises `ValueError` for values that cannot be answered with.
    """

    delay: float = 0.2
    """Seconds from the call to the answer."""
    size: int = 200
    """Characters of the text (characters are not bytes)."""
    status: int | Sequence[int] = 200
    """The status; or several, which take turns call by call."""
    json: Any = None
    """An object to answer as JSON instead of text."""
    drip: float = 0.0
    """Seconds between pieces. When not 0 the body is sent in ten pieces, without its length."""
    hang: bool = False
    """Never answer; the call ends when the caller leaves."""
    cut: bool = False
    """Close the connection after half of the body, so that it does not look complete."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers added to the answer."""
    redirect: str | None = None
    """Answer 302 with this `Location`."""
    echo: bool = False
    """Answer JSON with the `method`, `path`, `query`, `headers` and `body` that came.

    Path and query are shown as they were sent, still quoted. Header names are in lower case, and
    what every client sends by itself (such as `host` and `accept`) is left out.
    """

    def __post_init__(self) -> None:
        _values.seconds("delay", self.delay)
        _values.seconds("drip", self.drip)
        _values.whole("size", self.size, least=0)
        _values.headers(self.headers)
        if not _is_status(self.status):
            said = "a whole number, or a list of them"
            raise ValueError(f"status must be {said}, not {self.status!r}")


def _is_status(status: Any) -> bool:
    if isinstance(status, int):
        return True
    several = not isinstance(status, str) and isinstance(status, Sequence) and len(status) > 0
    return several and all(isinstance(one, int) for one in status)


@dataclass(frozen=True, slots=True)
class Counts:
    """What an upstream saw since it started, or since the last `reset()`."""

    requests: int
    """Calls that came."""
    in_flight: int
    """Calls that are being answered now."""
    peak: int
    """The most calls in flight at any moment."""
    open: int
    """Connections open now, idle ones included."""
    opened: int
    """Connections accepted."""
    cut_short: int
    """Calls whose caller left before it had the whole answer."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that an upstream got, for timelines."""

    path: str
    query: str
    method: str
    connection: int
    """Which connection it came on; 1 is the first that was ever opened."""
    started: float
    """Seconds since the upstream started."""
    ended: float | None
    """Seconds since the upstream started; None while in flight."""
    status: int | None
    """The status sent; None when none was."""
    cut_short: bool
    """Whether the caller left before it had the whole answer."""
