"""The marker's side of a run: start an answer in isolation, reach it, watch it, end it for good.

For POSIX only, as answers are forked; elsewhere entering a `Nursery` says so and the mend.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from unblocked.course import CourseError
from unblocked.grading import channel, processes
from unblocked.grading.isolation import STANDARD
from unblocked.grading.rungs import RUNGS
from unblocked.grading.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Set

MEMORY = 1 << 30
"""Bytes that an answer may hold resident, its child processes included."""
START_PATIENCE = 60.0
"""Seconds that a start-up may take."""
SLOTS = 2 * max(1, min(2, os.cpu_count() or 1))
"""Runs at work at the same time: more would only take the CPU from one another."""
_TAIL = 64 << 10
_SYSTEMS = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "HOME", "VIRTUAL_ENV")
_LIBRARIES = ("LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
_HANDED_DOWN = frozenset(_SYSTEMS + _LIBRARIES)
_ERROR = re.compile(r"[\w.]*(?:Error|Exception|Timeout|Exit)\w*")
_LONGEST_LINE = 1000
_WARDEN_PATIENCE = 10.0
_WATCH_EVERY = 0.1


class Refused(Exception):
    """This system does not allow the isolation that was asked for."""


class Gone(Exception):
    """The answer's process has ended, or said something that is no message."""


class AnswerError(Exception):
    """What the learner's own code raised, as one line."""


class Nursery:
    """The pre-imported process from which answers are forked. Use as `async with`.

    Takes the best rung of the ladder that this system allows, or the one given, here or by the
    environment's UNBLOCKED_RUNG.

    Raises:
        Refused: on entering, when nothing as good as `require` can be had.
    """

    def __init__(
        self, require: str | None = None, *, rung: str | None = None, slots: int = SLOTS
    ) -> None:
        self.require, self.rung = require, rung or os.environ.get("UNBLOCKED_RUNG", "")
        self.slots = Slots(slots)
        """For runs that are at work. One that only waits gives its slot back meanwhile."""

    def start(self) -> None:
        """Start the process now, so that it imports while the marker does, too."""
        self.process, self.marker = _start_nursery()

    async def __aenter__(self) -> Nursery:
        if not hasattr(self, "process"):
            self.start()
        try:
            await _readable(self.marker, START_PATIENCE)
            channel.receive(self.marker)
            self.rung = self.rung or await self._best()
            self._refuse_less()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    def _refuse_less(self) -> None:
        if self.require and RUNGS.index(self.rung) > RUNGS.index(self.require):
            raise Refused(
                f"This system offers the isolation {self.rung!r}, less than {self.require!r}."
            )

    async def __aexit__(self, *_: object) -> None:
        self.marker.close()
        await asyncio.to_thread(self.process.wait)

    async def _best(self) -> str:
        for rung in RUNGS:
            self.rung = rung
            try:
                async with self.run("", "", "", {}):
                    return rung
            except (Refused, Gone):
                continue
        raise Refused("no way to run an answer on this system")

    def run(self, source: str, given: str, inside: str, bindings: dict[str, Any]) -> AnswerRun:
        """A run of this answer, to be entered with `async with`."""
        return AnswerRun(self, source, given, inside, bindings)


def _start_nursery() -> tuple[subprocess.Popen[bytes], socket.socket]:
    if not hasattr(os, "fork"):
        raise CourseError(
            "Marking needs Linux or macOS, as an answer runs in a forked process: "
            "on Windows, open the course in WSL or on Binder."
        )
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-P", "-m", "unblocked.grading.nursery"]
    with theirs:
        return subprocess.Popen(
            command, stdin=theirs.fileno(), start_new_session=True, env=_environment()
        ), ours


def _environment() -> dict[str, str]:
    """What Python needs of ours: the rest may be secret, and an answer could print it."""
    return {n: v for n, v in os.environ.items() if n in _HANDED_DOWN or n.startswith("PYTHON")}


class AnswerRun:
    """One process that executes one answer.

    Entering it forks the process, without executing the answer: `load` does that, so that the
    upstreams, whose sockets live in the answer's network, can be made before.

    Raises:
        Refused: on entering, when the isolation cannot be had.
    """

    def __init__(
        self, nursery: Nursery, source: str, given: str, inside: str, bindings: dict[str, Any]
    ) -> None:
        self.nursery = nursery
        self.spec = {"source": source, "given": given, "inside": inside}
        self.bindings = dict(bindings)
        self.killed_for_memory = False
        self.output = b""
        self.pulse: Callable[[], None] = lambda: None
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._stock: list[socket.socket] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._ended: dict[str, Any] | None = None
        self.gone = asyncio.Event()

    async def __aenter__(self) -> AnswerRun:
        self.scratch = tempfile.mkdtemp(prefix="unblocked-")
        self.control, control = socket.socketpair()
        channel.tell_senders(self.control)
        self.talk, talk = socket.socketpair()
        out, write_out = os.pipe()
        order = {"rung": self.nursery.rung, "scratch": self.scratch, "limits": STANDARD}
        fds = (control.fileno(), talk.fileno(), write_out)
        channel.send(self.nursery.marker, order, fds)
        for sock in (control, talk):
            sock.close()
        os.close(write_out)
        try:
            await self._born()
        except BaseException:
            os.close(out)
            self._let_go()
            raise
        await self._listen(out)
        return self

    async def _born(self) -> None:
        try:
            self.warden: int = (await self._introduced())["pid"]
            self.pid: int = (await self._introduced())["pid"]
        except TimeoutError as error:  # an answer got at it, where nothing prevents that
            self.nursery.process.kill()
            raise Gone("the isolated process did not start") from error
        except (channel.ChannelClosed, OSError) as error:
            raise Gone("the isolated process did not start") from error
        self.control.settimeout(_WARDEN_PATIENCE)

    async def _introduced(self) -> dict[str, Any]:
        await _readable(self.control, START_PATIENCE)
        message = channel.receive_signed(self.control)
        if message["event"] == "refused":
            raise Refused(message["error"])
        return message

    async def _listen(self, out: int) -> None:
        self.reader, self.writer = await asyncio.open_connection(sock=self.talk)
        pipe = os.fdopen(out, "rb", 0)
        stream = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        self._pipe, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), pipe
        )
        jobs = (self._hear(), self._keep_output(stream), self._watch_memory())
        self._tasks = [asyncio.create_task(job) for job in jobs]

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pipe.close()
        self.writer.close()
        self._kill()
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_WR)
        self._signal(self.warden, signal.SIGCONT)  # where it could be stopped, it may have been
        try:  # the warden closes its end when all is cleared
            await _readable(self.control, _WARDEN_PATIENCE)
        except TimeoutError:
            self._signal(self.warden, signal.SIGKILL)
        self._let_go()

    def _kill(self) -> None:
        self._signal(self.pid, signal.SIGKILL)

    def _signal(self, pid: int, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)

    def _let_go(self) -> None:
        for sock in self._stock:
            sock.close()
        self.control.close()
        self.talk.close()
        _remove(self.scratch)

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
                    future.set_exception(Gone(self.last_words()))
            self.pulse()

    def _settle(self, event: str, message: dict[str, Any]) -> None:
        what, _, how = event.rpartition("-")
        future = self._waiting.get(what or event)
        if future is None or future.done():
            return
        if how == "failed":
            future.set_exception(AnswerError(str(message.get("error"))[:800]))
        else:
            future.set_result(message)

    async def _keep_output(self, stream: asyncio.StreamReader) -> None:
        while piece := await stream.read(_TAIL):
            self.output = (self.output + piece)[-_TAIL:]

    async def _watch_memory(self) -> None:
        while not self.gone.is_set():
            if processes.resident_with_children(self.pid) > MEMORY:
                self.killed_for_memory = True
                self._kill()
            await asyncio.sleep(_WATCH_EVERY)

    def wait_for(self, what: str) -> asyncio.Future[dict[str, Any]]:
        """A future for the next "what-done" or "what-failed" that the process says."""
        future = self._waiting[what] = asyncio.get_running_loop().create_future()
        if self.gone.is_set():
            future.set_exception(Gone(self.last_words()))
        return future

    def order(self, what: str, fds: tuple[int, ...] = (), **args: Any) -> asyncio.Future[Any]:
        """Tell the process to do something; the future ends when it says that it has."""
        future = self.wait_for(what)
        copy = socket.socket(fileno=os.dup(self.talk.fileno()))
        with copy, contextlib.suppress(OSError):  # messages are small: sending never waits
            channel.send(copy, {"do": what, **args}, fds)
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
        self.writer.write(channel.encode({**self.spec, "bindings": self.bindings}))
        await asyncio.wait_for(future, min(seconds, START_PATIENCE))

    def blank_socket(self) -> socket.socket:
        """A TCP socket that belongs to the answer's network, neither bound nor connected."""
        if not self._stock:
            channel.send(self.control, {"do": "sockets"})
            _, fds = channel.receive(self.control)
            self._stock = [socket.socket(fileno=fd) for fd in fds]
        return self._stock.pop()

    def threads(self) -> int:
        """Threads of the answer's process, as the system counts them; 0 when it has gone."""
        return processes.threads(self.pid)

    def memory(self) -> int:
        """Resident bytes of the answer's process; 0 when it has gone."""
        return processes.resident(self.pid)

    def queued(self, ports: Set[int]) -> int | None:
        """Bytes in the system's queues of its network's sockets at these ports, or None."""
        return processes.queued(self.pid, ports)

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Keep the answer's process from running meanwhile."""
        with processes.suspended(self.pid):
            yield

    def asleep(self) -> bool:
        """Whether no thread of the process wants the CPU: it waits for something."""
        return processes.asleep(self.pid)

    def last_words(self) -> str:
        """The last error that the answer's process printed, with the answer's line, or ''."""
        text = self.output.decode(errors="replace")
        shown = [line[:_LONGEST_LINE] for line in text.splitlines()]
        errors = [line for line in shown if _ERROR.fullmatch(line.partition(":")[0][:100])]
        lines = re.findall(r'File "[^"]*answer\.py", line (\d+)', text)
        where = f" (line {lines[-1]} of your answer)" if lines else ""
        return errors[-1][:300] + where if errors else ""


def _remove(folder: str) -> None:
    """Delete a folder; one made too deep for Python's own way is left to the system's tool."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if os.path.isdir(folder):
        subprocess.run(["rm", "-rf", "--", folder], check=False, stderr=subprocess.DEVNULL)


async def _readable(sock: socket.socket, seconds: float) -> None:
    """Wait until a message, or the other side's end, is there.

    Raises:
        TimeoutError: it did not come in time.
    """
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sock, ready.set)
    try:
        await asyncio.wait_for(ready.wait(), seconds)
    finally:
        loop.remove_reader(sock)
