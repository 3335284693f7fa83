"""`serve`: an app on a real uvicorn in this process, in a thread with a loop of its own."""

from __future__ import annotations

import sys
import threading
import time
import traceback
import warnings
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from unblocked._descriptors import raise_descriptor_limit
from unblocked.rig import _cell
from unblocked.rig._docs import LocalDocs
from unblocked.rig._host import free_loopback_of_proxies
from unblocked.rig._link import Link, reachable
from unblocked.rig._record import Recorder, Request, learners_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from unblocked.rig._record import ASGIApp
    from unblocked.rig._uvicorn import ServerThread

__all__ = ["Request", "Server", "serve"]

_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_POLL = 0.1


class Server:
    """A served app. Made by `serve`; ends with `stop()`, or at the end of a `with` block."""

    view: ClassVar[Callable[..., Any] | None] = None
    """Draws a server live; set by whoever can draw, used by `watch`."""

    def __init__(self, app: ASGIApp, name: str, thread: ServerThread, recorder: Recorder) -> None:
        self.app = app
        self.name = name
        self._thread = thread
        self._recorder = recorder
        self.started_at = recorder.started_at
        """The zero of the times in `log()`, in seconds since the epoch."""

    @property
    def port(self) -> int:
        """Its port on 127.0.0.1."""
        return self._thread.port

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether its thread runs."""
        return self._thread.thread.is_alive()

    @property
    def in_flight(self) -> int:
        """Requests that the app is answering now."""
        return self._recorder.in_flight

    @property
    def lag(self) -> float:
        """Seconds by which its event loop was late lately (0.1 s), a block that lasts included."""
        return self._thread.lag.seconds()

    def log(self) -> list[Request]:
        """Return the requests since the start, at most the last 50,000."""
        return list(self._recorder.requests)

    def link(self, path: str = "/") -> Link:
        """Return the address at which a browser reaches the app: direct, or through JupyterHub."""
        return Link(reachable(self.port, path))

    def watch(self, **options: Any) -> Any:
        """Show its threads, requests in flight, event-loop lag and memory live.

        Raises `RuntimeError` when nothing that can draw is loaded.
        """
        view = type(self).view
        if view is None:
            raise RuntimeError("nothing that draws is loaded: import unblocked.show.compare first")
        return view(self, **options)

    def stop(self) -> None:
        """Finish: requests in flight get a second, then the lifespan ends, then the thread.

        Stopping twice is fine. Warns when something still blocks the app's event loop.
        """
        _cell.forget(self)
        self._thread.leave()
        if threading.current_thread() is self._thread.thread:
            return
        if not _join(self._thread.thread, _STOP_SECONDS):
            self._thread.abort()
        if not _join(self._thread.thread, _STOP_SECONDS):
            warnings.warn(_stuck(self.name, self._thread.thread), RuntimeWarning, stacklevel=2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Server {self.name} {self.url if self.running else 'stopped'}>"

    def _repr_html_(self) -> str:
        if not self.running:
            return f"<b>{self.name}</b> has stopped"
        app = self.link()._repr_html_()
        docs = self.link(self._docs)._repr_html_() if self._docs else "none"
        return f"<b>{self.name}</b> {app} · docs: {docs}"

    @property
    def _docs(self) -> str | None:
        return getattr(self.app, "docs_url", None)


def serve(
    app: ASGIApp,
    *,
    name: str = "app",
    loop: Literal["none", "auto", "asyncio", "uvloop"] = "asyncio",
    http: Literal["auto", "h11", "httptools"] = "h11",
    lifespan: Literal["auto", "on", "off"] = "auto",
) -> Server:
    """Serve an ASGI app on 127.0.0.1, in a thread of this process; returns when it answers.

    Run again in the same notebook cell, it replaces the server that the cell started before.
    If the app's start-up fails, its own error is raised; `TimeoutError` after a minute.
    """
    if not callable(app):
        raise TypeError(f"serve needs an ASGI app, such as FastAPI(), not {type(app).__name__}")
    from unblocked.rig._uvicorn import ServerThread

    free_loopback_of_proxies()
    raise_descriptor_limit()
    _cell.stop_earlier("server")
    recorder = Recorder(LocalDocs(app), name)
    thread = ServerThread(recorder, name, loop=loop, http=http, lifespan=lifespan)
    server = Server(app, name, thread, recorder)
    _await_start(server, thread, recorder)
    recorder.started = True
    _cell.keep("server", server)
    return server


def _await_start(server: Server, thread: ServerThread, recorder: Recorder) -> None:
    deadline = time.monotonic() + _START_SECONDS
    try:
        while not thread.settled.wait(_POLL):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{server.name} did not start within {_START_SECONDS:.0f} s")
        if not thread.answers:
            raise _reason(server.name, thread, recorder)
    except BaseException:
        server.stop()
        raise


def _reason(name: str, thread: ServerThread, recorder: Recorder) -> BaseException:
    """Return what to raise for a failed start-up: the app's own error where there is one."""
    error = recorder.lifespan_error or thread.failure
    if isinstance(error, Exception):
        error.add_note(f"Raised while {name} started, before it could answer.")
        return learners_part(error)
    failure = RuntimeError(f"{name} did not start")
    failure.__cause__ = error
    return failure


def _join(thread: threading.Thread, seconds: float) -> bool:
    """Join a thread in small steps, between which an interrupt is heard on every system."""
    deadline = time.monotonic() + seconds
    while thread.is_alive() and time.monotonic() < deadline:
        thread.join(_POLL)
    return not thread.is_alive()


def _stuck(name: str, thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    where = traceback.extract_stack(frame)[-1] if frame is not None else None
    at = f" (line {where.lineno} of {where.name}: {where.line})" if where is not None else ""
    return f"{name} still runs: something blocks its event loop{at}"
