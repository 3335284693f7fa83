"""A picture of when requests and upstream calls ran, which shows what waited for what."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from IPython.display import display

from unblocked.show import _picture
from unblocked.show._frontend import in_kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unblocked.rig import Server, Upstream
    from unblocked.show._frontend import Bundle

_MOST_BARS = 60


@dataclass(frozen=True, slots=True)
class Bar:
    """One request or one upstream call."""

    label: str
    group: str
    """The task (of a request) or the connection (of a call) that gives the colour."""
    start: float
    """Seconds since the first bar."""
    end: float
    complete: bool
    """False when it is still in flight, or was cut short."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Bars for the requests to an app, and for the calls that its upstream got."""

    requests: Sequence[Bar]
    calls: Sequence[Bar]
    left_out: int = 0

    def png(self) -> bytes:
        """The picture, as a PNG file."""
        return _picture.timeline(self)

    def __str__(self) -> str:
        if not self.requests and not self.calls:
            return "Nothing was asked for yet."
        end = max(bar.end for bar in (*self.requests, *self.calls))
        together = most_at_once(self.calls)
        text = (
            f"{len(self.requests)} requests and {len(self.calls)} upstream calls in {end:.2f} s; "
            f"at most {together} calls at the same time, "
            f"on {len({bar.group for bar in self.calls})} connections."
        )
        return text + (f" {self.left_out} earlier ones are left out." if self.left_out else "")

    def bundle(self) -> Bundle:
        """Display data: the picture with its alternative text."""
        if not self.requests and not self.calls:
            return {"text/plain": str(self)}
        picture = base64.b64encode(self.png()).decode("ascii")
        alt = escape(str(self))
        image = f'<img alt="{alt}" src="data:image/png;base64,{picture}" style="max-width:100%">'
        return {
            "text/plain": str(self),
            "image/png": picture,
            "text/html": f"<figure style='margin:0'>{image}</figure><p>{alt}</p>",
        }

    def _ipython_display_(self) -> None:
        if in_kernel():
            display(self.bundle(), raw=True)  # type: ignore[no-untyped-call]
        else:
            print(self)


def timeline(server: Server, upstream: Upstream, *, most: int = _MOST_BARS) -> Timeline:
    """What ran when: a bar per request to `server` and per call that `upstream` got.

    Calls are those since the upstream's last `reset()`; requests those that ended after it. Only
    the newest `most` of each are kept. A bar's colour stands for the task that answered a request,
    and for the connection a call came on, so that calls that share a connection look alike.
    """
    now = time.time()
    calls = [
        Bar(
            f"{call.method} {call.path}",
            f"connection {call.connection}",
            upstream.started_at + call.started,
            now if call.ended is None else upstream.started_at + call.ended,
            call.ended is not None and not call.cut_short,
        )
        for call in upstream.log()
    ]
    first = min((bar.start for bar in calls), default=0.0)
    requests = [
        Bar(
            f"{request.method} {request.path}",
            request.task,
            server.started_at + request.started,
            now if request.ended is None else server.started_at + request.ended,
            request.ended is not None,
        )
        for request in server.log()
    ]
    requests = [bar for bar in requests if bar.end >= first]
    left_out = max(0, len(calls) - most) + max(0, len(requests) - most)
    return _from_zero(requests[-most:], calls[-most:], left_out)


def _from_zero(requests: Sequence[Bar], calls: Sequence[Bar], left_out: int) -> Timeline:
    zero = min((bar.start for bar in (*requests, *calls)), default=0.0)

    def moved(bars: Sequence[Bar]) -> list[Bar]:
        return [
            Bar(bar.label, bar.group, bar.start - zero, bar.end - zero, bar.complete)
            for bar in bars
        ]

    return Timeline(moved(requests), moved(calls), left_out)


def most_at_once(bars: Sequence[Bar]) -> int:
    """How many bars overlap at most."""
    steps = sorted([(bar.start, 1) for bar in bars] + [(bar.end, -1) for bar in bars])
    level = most = 0
    for _, step in steps:
        level += step
        most = max(most, level)
    return most
