"""Runs uvicorn on a thread and a loop of its own, and stops it without leaving anything."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from uvicorn.config import HTTPProtocolType, LifespanType, LoopFactoryType

    from unblocked.rig._record import ASGIApp

_GRACE = 1
"""Seconds that requests in flight get to finish when the server stops."""
_TICK = 0.02
_WINDOW = 0.1


class LoopLag:
    """Measures how late an event loop runs its timers, because something else held it."""

    def __init__(self) -> None:
        self._ticks: deque[tuple[float, float]] = deque(maxlen=64)
        self._due: float | None = None

    async def watch(self) -> None:
        """Tick until cancelled."""
        try:
            while True:
                self._due = time.perf_counter() + _TICK
                await asyncio.sleep(_TICK)
                now = time.perf_counter()
                self._ticks.append((now, max(0.0, now - self._due)))
        finally:
            self._due = None

    def seconds(self) -> float:
        """Return the largest lag of the last 0.1 s, a lag that still lasts included. Works in any
        thread.
        """
        now = time.perf_counter()
        due = self._due
        lags = [lag for when, lag in list(self._ticks) if now - when < _WINDOW]
        if due is not None:
            lags.append(now - due)
        return max(lags, default=0.0) if lags else 0.0


class _Uvicorn(uvicorn.Server):
    """Reports when it answers, and leaves when told instead of at the next tenth of a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = False
        self.settled = threading.Event()
        self.lag = LoopLag()
        self._leave = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answers = True
        self.settled.set()

    async def main_loop(self) -> None:
        ticks = 0
        lag = asyncio.create_task(self.lag.watch(), name="event-loop lag")
        try:
            while not await self.on_tick(ticks):
                ticks += 10  # uvicorn renews its Date header at every tenth tick of 0.1 s.
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._leave.wait(), 1.0)
        finally:
            lag.cancel()

    def leave(self) -> None:
        """Finish. Called on the loop."""
        self.should_exit = True
        self._leave.set()


class ServerThread:
    """One run of uvicorn. Starts at once; `settled` is set when it answers or has failed."""

    def __init__(
        self,
        app: ASGIApp,
        name: str,
        *,
        loop: LoopFactoryType,
        http: HTTPProtocolType,
        lifespan: LifespanType,
    ) -> None:
        self._config = uvicorn.Config(
            app,
            loop=loop,
            http=http,
            lifespan=lifespan,
            interface="asgi3",
            log_config=None,
            log_level="critical",  # Errors are shown by the recorder, once each.
            access_log=False,
            timeout_graceful_shutdown=_GRACE,
        )
        self._socket = _bound_socket()
        self.port: int = self._socket.getsockname()[1]
        self._uvicorn = _Uvicorn(self._config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self.failure: BaseException | None = None
        self.lag = self._uvicorn.lag
        self.settled = self._uvicorn.settled
        self.thread = threading.Thread(target=self._run, name=f"serve {name}", daemon=True)

        try:
            self.thread.start()
        except BaseException:
            self._socket.close()
            raise

    def _run(self) -> None:
        # An executor of its own, under asyncio's name, so that its threads can be told from others
        # and joined.
        executor = ThreadPoolExecutor(thread_name_prefix="asyncio")
        try:
            loop = self._new_loop()
            loop.set_default_executor(executor)
            self._loop = loop
            try:
                self._main = loop.create_task(self._serve())
                loop.run_until_complete(self._main)
            finally:
                _close(loop)
        except (SystemExit, asyncio.CancelledError):
            pass  # uvicorn's way to say that the start-up failed; the recorder has the reason.
        except BaseException as error:
            self.failure = error
        finally:
            # Threads that wait in a blocking call cannot be stopped, so this does not wait for them
            # for long.
            self._socket.close()
            executor.shutdown(wait=False, cancel_futures=True)
            _join_workers(self._loop, executor)
            self.settled.set()

    @property
    def answers(self) -> bool:
        """Whether the start-up went well."""
        return self._uvicorn.answers

    def _new_loop(self) -> asyncio.AbstractEventLoop:
        factory = self._config.get_loop_factory()
        return factory() if factory is not None else asyncio.new_event_loop()

    async def _serve(self) -> None:
        await self._uvicorn.serve(sockets=[self._socket])

    def leave(self) -> None:
        """Ask it to finish, from any thread; before it answers, its start-up is cancelled."""
        with suppress(RuntimeError):  # The loop has closed already.
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._leave)

    def abort(self) -> None:
        """Cancel what it still waits for, such as a shutdown that does not end."""
        with suppress(RuntimeError):
            if self._loop is not None and self._main is not None:
                self._loop.call_soon_threadsafe(self._main.cancel)

    def _leave(self) -> None:
        self._uvicorn.leave()
        if not self._uvicorn.started and self._main is not None:
            self._main.cancel()


def _bound_socket() -> socket.socket:
    # asyncio turns Nagle's algorithm off only where the protocol is named: without it, each answer
    # that uvicorn writes in two pieces waits 40 ms for the acknowledgement of the first.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.bind(("127.0.0.1", 0))
    except BaseException:
        bound.close()
        raise
    return bound


def _close(loop: asyncio.AbstractEventLoop) -> None:
    try:
        _cancel_all(loop)
        _complete(loop, loop.shutdown_asyncgens())
    finally:
        loop.close()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        _complete(loop, asyncio.wait(tasks, timeout=_GRACE))


def _complete(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, object]) -> None:
    loop.run_until_complete(work)


def _join_workers(loop: asyncio.AbstractEventLoop | None, executor: ThreadPoolExecutor) -> None:
    """Wait a moment for the threads that worked for this loop: the executor's and AnyIO's."""
    deadline = time.monotonic() + _GRACE
    own = set(getattr(executor, "_threads", ()))
    for thread in threading.enumerate():
        if thread in own or getattr(thread, "loop", own) is loop:
            thread.join(max(0.0, deadline - time.monotonic()))
