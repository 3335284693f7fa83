"""Finds each call that is about to block the thread of the answer's event loop.

No clock is read: a call is noted for what it is about to do, however short it is. What is free, has
ended or may not wait (`timeout=0`) is no wait. What Python can replace is replaced before the
answer's code is there, and an audit hook, which nobody can take off, hears of the rest.

Not seen from here: waits in C code that Python does not announce (`select.poll`, `ctypes`,
`sqlite3`), and computing. The marker looks for the former from outside.
"""

from __future__ import annotations

import os
import queue
import select
import socket
import subprocess
import sys
import threading
import time
from threading import get_ident
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Note = Callable[[str, str], None]

_SOCKET_CALLS = [
    "accept",
    "recv",
    "recv_into",
    "recvfrom",
    "recvfrom_into",
    "send",
    "sendall",
    "sendto",
]


class Detector:
    """Calls `note(where, sentence)` whenever the watched thread is about to block.

    Args:
        file: the file name of the answer's code, whose line is named.
        note: `where` is the place in the code, the same for the same place.
    """

    def __init__(self, file: str, note: Note) -> None:
        self.file, self.note, self.thread = file, note, 0
        self._events: dict[str, Callable[..., bool]] = {
            "time.sleep": lambda seconds: seconds > 0,  # an event from Python 3.13 on
            "os.system": lambda _: True,
            "socket.connect": _connects,
            "socket.getaddrinfo": _asks_for_a_name,
        }
        # An audit hook cannot be removed, not even by the answer.
        sys.addaudithook(self._hear)
        if hasattr(os, "register_at_fork"):  # the thread of a child may have the same number
            os.register_at_fork(after_in_child=self.rest)
        self._guard_all()

    def watch(self) -> None:
        """Note from now on what this thread does."""
        self.thread = get_ident()

    def rest(self) -> None:
        """Note nothing from now on."""
        self.thread = 0

    def _guard_all(self) -> None:
        if sys.version_info < (3, 13):
            self._guard(time, "sleep", lambda seconds: seconds > 0)
        self._guard(threading.Condition, "wait", _waits)  # Event, Semaphore, Future, Queue, Barrier
        self._guard(threading.Thread, "join", lambda t, timeout=None: t.is_alive() and timeout != 0)

        for name in ("wait", "communicate"):
            self._guard(subprocess.Popen, name, lambda p, *_, **__: p.returncode is None)
        if hasattr(os, "waitpid"):
            self._guard(os, "waitpid", _waits_for_a_process)
        self._guard(select, "select", lambda r, w, x, timeout=None: timeout is None or timeout > 0)

        for name in _SOCKET_CALLS:
            self._guard(socket.socket, name, lambda sock, *_, **__: sock.gettimeout() != 0)
        # A type written in C takes no new attributes; a subclass does.
        queue.SimpleQueue = type("SimpleQueue", (queue.SimpleQueue,), {})  # type: ignore
        self._guard(queue.SimpleQueue, "get", _gets)

        for name in ("Lock", "RLock"):
            made = {"plain": staticmethod(getattr(threading, name)), "detector": self}
            setattr(threading, name, type(name, (_Lock,), made))

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        blocks = self._events.get(event)
        if blocks and get_ident() == self.thread and blocks(*args):
            self.noted(event)

    def _guard(self, owner: Any, name: str, blocks: Callable[..., bool]) -> None:
        original, label = getattr(owner, name), f"{owner.__name__}.{name}"

        def guarded(*args: Any, **kwargs: Any) -> Any:
            if get_ident() == self.thread and blocks(*args, **kwargs):
                self.noted(label)
            return original(*args, **kwargs)

        setattr(owner, name, guarded)

    def noted(self, what: str) -> None:
        """Tell which line of the answer is about to block, and by which call."""
        thread, self.thread = self.thread, 0  # telling may block itself
        try:
            self.note(*self._describe(what))
        finally:
            self.thread = thread

    def _describe(self, what: str) -> tuple[str, str]:
        frame, called = sys._getframe(3), what
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        while frame is not None and frame.f_code.co_filename != self.file:
            called = f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}"
            frame = frame.f_back  # type: ignore[assignment]
        if frame is None:
            return place, f"`{what}` blocks the event loop"
        by = "" if called == what else f" (by `{what}`)"
        line = frame.f_lineno
        return f"line {line}", f"`{called}` in line {line} of your answer blocks the event loop{by}"


class _Lock:
    """A lock made by the answer, which notes that it is taken when it is not free. Other locks stay
    plain.
    """

    plain: Callable[[], Any]
    detector: Detector

    def __new__(cls) -> Any:
        self, maker = super().__new__(cls), sys._getframe(1).f_code.co_filename
        self.lock = cls.plain()
        return self if maker in (cls.detector.file, "<string>") else self.lock  # by a dataclass

    lock: Any

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, and note it before waiting if the watched thread has to wait."""
        if self.lock.acquire(False):
            return True
        if get_ident() == self.detector.thread and blocking and timeout != 0:
            self.detector.noted(f"threading.{type(self).__name__}.acquire")
        return bool(self.lock.acquire(blocking, timeout))

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        self.lock.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lock, name)


def _waits(_: object, timeout: float | None = None) -> bool:
    """Return whether a condition is waited for; `Thread.start` waits, too, for the thread to begin,
    and does not count.
    """
    starting = sys._getframe(3).f_code is threading.Thread.start.__code__
    return (timeout is None or timeout > 0) and not starting


def _waits_for_a_process(_: int, options: int) -> bool:
    """Return whether this call waits; asyncio's own calls collect processes that have ended."""
    if sys.platform == "win32":
        return False  # there is no such call
    by_asyncio = str(sys._getframe(2).f_globals.get("__name__")).startswith("asyncio.")
    return not options & os.WNOHANG and not by_asyncio


def _gets(simple_queue: Any, block: bool = True, timeout: float | None = None) -> bool:
    return bool(block and timeout != 0 and simple_queue.empty())


def _connects(sock: socket.socket, address: object) -> bool:
    """Return whether this connects by TCP and waits; multiprocessing's connections to its own
    helpers do not count.
    """
    by_tcp = sock.type == socket.SOCK_STREAM and type(address) is tuple
    return by_tcp and sock.gettimeout() != 0


def _asks_for_a_name(host: object, *_: object) -> bool:
    """Return whether a host name is looked up; an IP address needs no look-up."""
    text = host.decode(errors="replace") if isinstance(host, bytes) else str(host or "")
    return bool(text) and ":" not in text and not text.replace(".", "").isdigit()
