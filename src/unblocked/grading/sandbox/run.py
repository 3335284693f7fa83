"""One run of an answer, as the marker sees it, in whatever way its process was made.

`forked.py` has the runs of systems that fork, `spawning.py` those of the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import reprlib
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any, NamedTuple

from unblocked.grading.sandbox import processes, shapes
from unblocked.grading.sandbox.child import channel, errors, isolation
from unblocked.grading.sandbox.child.sockets import tcp_socket as tcp_socket
from unblocked.grading.sandbox.quiescence import Quiescence

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine, Iterator, Sequence, Set

    from unblocked.grading.sandbox.shapes import Shape

MEMORY = 1 << 30
"""Bytes that an answer may hold resident, its child processes included."""
START_PATIENCE = 60.0
"""Seconds that a start-up may take."""
WATCH_EVERY = 0.1
"""Seconds between two looks at what an answer uses."""
TAIL = 64 << 10
"""Bytes of an answer's output that are kept."""
MUCH_CPU = 0.5
"""Share of its CPU seconds; an answer that had used more when last seen was stopped by their limit.

On a busy machine Linux stops it early: its limit counts ticks, while what it tells is measured.
"""
UVLOOPS_OWN = "libuv-worker"
"""The name of threads that uvloop starts for itself, as the system shows it."""
LONGEST_NOTE = 600
"""Characters of what is said about an answer's cells."""
MOST_NOTES = 20
"""Places in an answer's code that are kept as blocking the loop."""
_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)


class NotRun(Exception):
    """An answer could not be run, or not be watched, by no fault of its own."""


class Refused(NotRun):
    """This system does not allow the isolation that was asked for, or none at all."""


class Gone(Exception):
    """The answer's process has ended, or sent something that is no message."""


class AnswerError(Exception):
    """What the learner's own code raised, as one line."""


def is_shortage(error: object) -> bool:
    """Return whether an error says that the system has no descriptors or memory left for the
    marker.
    """
    return isinstance(error, OSError) and error.errno in _SHORTAGES


class Code(NamedTuple):
    """What is executed in an answer's process."""

    cells: Sequence[str]
    """The answer's cells, mostly one."""
    needed: str = "app"
    """The name that an answer must define."""
    given: str = ""
    inside: str = ""


NOTHING = Code(("",))
"""An answer without code."""


class AnswerRun:
    """One process that executes one answer. Use with `async with`.

    Entering it makes the process, without executing the answer: `load` does that, so that the
    upstreams, whose sockets live in the answer's network, can be made before.

    Raises:
        NotRun: on entering, when the process does not start; `Refused` where isolation is why.
    """

    pid: int
    scratch: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    _nonsense = ""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.bindings: dict[str, Any] = {}
        """Names that are bound in the answer's module before it is executed."""
        self.note = ""
        """What was odd about the answer's cells, from when it has been executed."""
        self.killed_for_memory = False
        self.cpu_seconds = 0.0
        """What the process was last seen to have used: one that has ended may tell no more."""
        self.output = b""
        self.blocking: dict[str, str] = {}
        """Calls that blocked the loop while the app served: a sentence for each place."""
        self.pulse: Callable[[], None] = lambda: None
        self.gone = asyncio.Event()
        self.quiescence = Quiescence()
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._shapes: dict[str, Shape] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.to_clear = contextlib.AsyncExitStack()
        """What ends the process and all that it left, and leaves no file of the run."""

    async def __aenter__(self) -> AnswerRun:
        try:
            self.scratch = tempfile.mkdtemp(prefix="unblocked-")
            self.to_clear.callback(remove, self.scratch)
            await self._begin()
        except BaseException as error:
            await self.to_clear.aclose()
            if isinstance(error, OSError):
                raise NotRun(f"a process for it could not be started: {error}") from error
            raise
        self._begin_to(self._hear(), self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        try:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:  # also when cancelled once more
            await self.to_clear.aclose()

    async def _begin(self) -> None:
        """Start the process; set `pid`, `reader` and `writer`; say what is `to_clear`."""
        raise NotImplementedError

    def _kill(self) -> None:
        """End the process."""
        raise NotImplementedError

    def _begin_to(self, *jobs: Coroutine[Any, Any, None]) -> None:
        """Do these jobs until the run is over."""
        self._tasks += [asyncio.create_task(job) for job in jobs]

    async def _hear(self) -> None:
        try:
            while True:
                message = await channel.read(self.reader)
                self.pulse()
                self._settle(str(message.get("event")), message)
        except channel.ChannelClosed:
            self.gone.set()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(Gone(self.last_error()))
            self.pulse()

    def note_blocking(self, where: str, sentence: str) -> None:
        """Keep what blocked the loop: the first sentence for each of the first few places."""
        if len(self.blocking) < MOST_NOTES:
            self.blocking.setdefault(where[:200], sentence[:400])

    def _settle(self, event: str, message: dict[str, Any]) -> None:
        if event == "blocking":
            self.note_blocking(str(message.get("where")), str(message.get("what")))
        # Events are called "what-done" and "what-failed"; others, such as "ended", have no hyphen.
        what, _, how = event.rpartition("-")
        future = self._waiting.get(what or event)
        if future is None or future.done():
            return

        if how == "failed":
            future.set_exception(AnswerError(str(message.get("error"))[:800]))
        elif shapes.fits(value := message.get("value"), self._shapes.get(what, object)):
            future.set_result(message)
        else:
            self._nonsense = f"It says of itself what cannot be: {reprlib.repr(value)}"
            raise channel.ChannelClosed

    def keep(self, piece: bytes) -> None:
        """Keep the newest part of what the process printed."""
        self.output = (self.output + piece)[-TAIL:]

    async def _watch(self) -> None:
        while not self.gone.is_set():
            await self._look()
            await asyncio.sleep(WATCH_EVERY)

    async def _look(self) -> None:
        """End the process when it has taken too much."""
        # Read again and again: once it has ended, the system may not tell any more.
        self.cpu_seconds = max(self.cpu_seconds, processes.cpu_seconds(self.pid))
        self._judge_memory(self.memory())

    def _judge_memory(self, resident: int) -> None:
        if resident > MEMORY:
            self.killed_for_memory = True
            self._kill()

    def wait_for(self, what: str) -> asyncio.Future[dict[str, Any]]:
        """Return a future for the next "what-done" or "what-failed" that the process says."""
        future = self._waiting[what] = asyncio.get_running_loop().create_future()
        if self.gone.is_set():
            future.set_exception(Gone(self.last_error()))
        return future

    def order(
        self, what: str, *, shape: Shape = object, **args: Any
    ) -> asyncio.Future[dict[str, Any]]:
        """Tell the process to do something; the future is done when it says that it has.

        When the value that it says does not have this shape, it is as good as gone.
        """
        future, self._shapes[what] = self.wait_for(what), shapes.OF_ORDERS.get(what, shape)
        self.writer.write(channel.encode({"do": what, **args}))
        return future

    async def load(self, seconds: float = START_PATIENCE) -> None:
        """Execute the given names and the answer, for at most so many seconds.

        Raises:
            AnswerError: what the learner's code raised.
            Gone: it ended its process.
            TimeoutError: it did not come back.
        """
        future = self.wait_for("loaded")
        self._waiting["load"] = future
        self.writer.write(channel.encode({**self.code._asdict(), "bindings": self.bindings}))
        loaded = await asyncio.wait_for(future, min(seconds, START_PATIENCE))
        self.note = str(loaded.get("value"))[:LONGEST_NOTE]

    def blank_socket(self) -> socket.socket:
        """Return a TCP socket that belongs to the answer's network, neither bound nor connected."""
        return tcp_socket()

    def family(self) -> list[int]:
        """Return the answer's process and all that descend from it."""
        return processes.family(self.pid)

    def threads(self) -> int:
        """Return threads of the answer's process and of all that descend from it, orphans included.

        Threads that uvloop keeps for itself do not count, nor does the process in which Python's
        `multiprocessing` tracks shared memory: nobody can end them.
        """
        counted = [p for p in self.family() if p == self.pid or processes.runs_for_itself(p)]
        return sum(processes.threads(pid, but=UVLOOPS_OWN) for pid in counted)

    def stands_in(self) -> str:
        """Return the blocking system call in which the main thread sleeps, or ''
        (Linux, else '').
        """
        return self.quiescence.blocking_call(self.pid)

    def used_up_its_cpu(self) -> bool:
        """Return whether it had used most of its CPU seconds when it was last seen."""
        used = max(self.cpu_seconds, processes.cpu_seconds(self.pid))
        return used >= MUCH_CPU * isolation.STANDARD["cpu"]

    def memory(self) -> int:
        """Return resident bytes of the answer's process and its children; 0 when it has gone."""
        return processes.resident_with_children(self.pid)

    def queued(self, upstream: int, app: int, callers: Set[int]) -> int | None:
        """Return the bytes in its network's queues between these ports; None where
        that is unknown.
        """
        return processes.queued(self.pid, upstream, app, callers)

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Keep the answer's process from running during the block."""
        with processes.suspended(self.pid):
            yield

    def asleep(self) -> bool:
        """Return whether no thread of the process wants the CPU: it waits for something."""
        return processes.asleep(self.pid)

    def quiescent_for(self) -> float:
        """Return for how many seconds the answer will not move by itself, counted from the last
        look.
        """
        return self.quiescence.seconds(self.pid)

    def last_error(self) -> str:
        """Return the last error that the answer's process printed, with the answer's
        line, or ''.
        """
        return self._nonsense or errors.last_error(self.output.decode(errors="replace"))


def remove(folder: str) -> None:
    """Delete a folder, however deep it is, and whatever an answer has forbidden its owner in it."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    for command in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):  # Python's way ends at both
        if os.path.isdir(folder) and (tool := shutil.which(command[0])):
            told = [tool, *command[1:], "--", folder]
            subprocess.run(told, check=False, stderr=subprocess.DEVNULL)
