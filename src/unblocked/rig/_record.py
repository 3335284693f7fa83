"""ASGI middleware around a served app: what is in flight, what was asked, what went wrong."""

from __future__ import annotations

import asyncio
import os
import sys
import sysconfig
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_LOGGED = 50_000
_STDLIB = sysconfig.get_path("stdlib")
_HERE = Path(__file__).parent


@dataclass(slots=True)
class Request:
    """One request that a served app got."""

    path: str
    method: str
    started: float
    """Seconds since the server started."""
    thread: str
    """The name of the thread that runs the event loop."""
    task: str
    """The name of the task that answers."""
    ended: float | None = None
    """Seconds since the server started; None while in flight."""
    status: int | None = None
    """The status sent; None when none was."""


class Recorder:
    """Passes everything on to the app unchanged, and keeps a record."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self._app = app
        self._name = name
        self._seen: set[str] = set()
        self.started_at = time.time()
        self._zero = time.perf_counter()
        self.in_flight = 0
        self.requests: deque[Request] = deque(maxlen=_LOGGED)
        self.lifespan_error: BaseException | None = None
        self.started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except BaseException as error:
            self.lifespan_error = error
            if self.started and isinstance(error, Exception):
                self._show(error, "the part of the lifespan after the yield raised")
            raise

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = self._begin(scope)
        complete = False

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal complete
            await send(message)
            if message["type"] == "http.response.start":
                request.status = message["status"]
            elif message["type"] == "http.response.body":
                complete = not message.get("more_body", False)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            # After a whole response there is nobody to tell; before that, uvicorn answers 500.
            self._show(error, f"{request.method} {request.path} raised")
            if not complete:
                raise
        finally:
            self.in_flight -= 1
            request.ended = self._now()

    def _begin(self, scope: Scope) -> Request:
        task = asyncio.current_task()
        request = Request(
            path=scope["path"],
            method=scope["method"],
            started=self._now(),
            thread=threading.current_thread().name,
            task=task.get_name() if task is not None else "",
        )
        self.requests.append(request)
        self.in_flight += 1
        return request

    def _now(self) -> float:
        return time.perf_counter() - self._zero

    def _show(self, error: Exception, what: str) -> None:
        """Print an error, once for each place it comes from: a load repeats it by the thousand."""
        place = _place(error)
        if place not in self._seen:
            self._seen.add(place)
            print(f"{self._name}: {what} (shown once)", file=sys.stderr)
            print(learners_traceback(error), end="", file=sys.stderr)


def _place(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1:]
    return f"{type(error).__name__} {[(frame.filename, frame.lineno) for frame in last]}"


def learners_part(error: Exception) -> Exception:
    """Return the error without the frames of the frameworks above the learner's own code."""
    frames = error.__traceback__
    while frames is not None and _is_framework(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return error.with_traceback(frames) if frames is not None else error


def learners_traceback(error: BaseException) -> str:
    """The traceback with the learner's own frames alone, or with the last three if there are none.

    A framework may have wrapped the error in one of its own, which says nothing more.
    """
    told: traceback.TracebackException | None
    told = traceback.TracebackException.from_exception(error)
    chain: list[tuple[traceback.TracebackException, list[traceback.FrameSummary]]] = []
    while told is not None:
        own = [frame for frame in told.stack if not _is_framework(frame.filename)]
        chain.append((told, own))
        told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)
    shown, frames = next(((each, own) for each, own in chain if own), (chain[0][0], []))
    shown.stack[:] = frames or [_without_folders(frame) for frame in shown.stack[-3:]]
    shown.__cause__ = shown.__context__ = None
    return "".join(shown.format())


def _without_folders(frame: traceback.FrameSummary) -> traceback.FrameSummary:
    """The frame, its file named from its package on: where that lies says nothing to a learner."""
    place, _, file = frame.filename.replace(os.sep, "/").rpartition("/site-packages/")
    name = file if place else Path(frame.filename).name
    return traceback.FrameSummary(name, frame.lineno, frame.name, line=frame.line)


def _is_framework(filename: str) -> bool:
    folder = Path(filename).parent
    return "site-packages" in filename or folder == _HERE or folder.is_relative_to(_STDLIB)
