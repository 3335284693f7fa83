"""Runs answers in processes forked from one that has imported everything.

For POSIX only: descriptors are handed from process to process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

from unblocked.grading.sandbox import processes
from unblocked.grading.sandbox.child import channel
from unblocked.grading.sandbox.child.isolation import STANDARD
from unblocked.grading.sandbox.child.levels import LEVELS
from unblocked.grading.sandbox.run import (
    START_PATIENCE,
    TAIL,
    AnswerRun,
    Code,
    Gone,
    NotRun,
    Refused,
)

if TYPE_CHECKING:
    from typing import BinaryIO

    from unblocked.grading.sandbox.starting import Preimported

_SUPERVISOR_SECONDS = 10.0
MOST_SOCKETS = 4000
"""In the network of an answer. Each may hold 200 kB that are in no process's resident size."""


class Forks:
    """The process that has imported everything, and the marker's connection to it."""

    def __init__(self, preimported: Preimported) -> None:
        self.process, self.line = preimported

    async def ready(self) -> None:
        """Wait until it has imported everything; raises `Refused` when it cannot."""
        try:
            await _readable(self.line, START_PATIENCE)
            channel.receive(self.line)
        except (channel.ChannelClosed, OSError) as error:
            raise Refused("The process that answers are forked from does not start.") from error

    async def end(self) -> None:
        """Close its connection, which ends it, and wait for it."""
        self.line.close()
        await asyncio.to_thread(self.process.wait)

    @property
    def lost(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def run(self, level: str, code: Code) -> AnswerRun:
        """Return a run of this answer at this level."""
        return ForkedRun(self, level, code)


class ForkedRun(AnswerRun):
    """A run in a fork, at any level of the ladder."""

    def __init__(self, forks: Forks, level: str, code: Code) -> None:
        super().__init__(code)
        self.forks, self.level = forks, level
        self._stock: list[socket.socket] = []

    async def _begin(self) -> None:
        self.control, control = self._pair()
        channel.tell_senders(self.control)
        self.talk, talk = self._pair()
        out, write_out = os.pipe()

        with os.fdopen(write_out, "wb", 0), control, talk:
            pipe = self.to_clear.enter_context(os.fdopen(out, "rb", 0))
            order = {"level": self.level, "scratch": self.scratch, "limits": STANDARD}
            channel.send(self.forks.line, order, (control.fileno(), talk.fileno(), write_out))

        # The pids are needed to end the run, so it can be ended only from here on.
        await self._await_birth()
        self.to_clear.callback(self._close_stock)  # also when the end is cut short
        self.to_clear.push_async_callback(self._end)
        await self._listen(pipe)

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        ours, theirs = socket.socketpair()
        return self.to_clear.enter_context(ours), theirs

    async def _await_birth(self) -> None:
        try:
            self.supervisor: int = (await self._receive_introduction())["pid"]
            self.pid = (await self._receive_introduction())["pid"]
        except TimeoutError as error:  # an answer got at it, where nothing prevents that
            self.forks.process.kill()
            raise NotRun("its isolated process did not start") from error
        except (channel.ChannelClosed, OSError) as error:
            raise NotRun("its isolated process did not start") from error
        self.control.settimeout(_SUPERVISOR_SECONDS)

    async def _receive_introduction(self) -> dict[str, Any]:
        await _readable(self.control, START_PATIENCE)
        message = channel.receive_signed(self.control)
        if message["event"] == "refused":
            raise Refused(message["error"])
        return message

    async def _listen(self, pipe: BinaryIO) -> None:
        self.reader, self.writer = await asyncio.open_connection(sock=self.talk)
        self.to_clear.callback(self.writer.close)
        stream = asyncio.StreamReader()
        reading, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), pipe
        )
        self.to_clear.callback(reading.close)
        self._begin_to(self._keep_output(stream))

    async def _keep_output(self, stream: asyncio.StreamReader) -> None:
        while piece := await stream.read(TAIL):
            self.keep(piece)

    async def _end(self) -> None:
        self._kill()
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_WR)
        self._signal(self.supervisor, signal.SIGCONT)  # where it could be stopped, it may have been
        try:  # the supervisor closes its end when all is cleared
            await _readable(self.control, _SUPERVISOR_SECONDS)
        except TimeoutError:
            self._signal(self.supervisor, signal.SIGKILL)

    def _close_stock(self) -> None:
        for sock in self._stock:
            sock.close()

    def family(self) -> list[int]:
        """Return the processes that the supervisor keeps: the answer's and all that it started,
        orphans too.
        """
        return [pid for pid in processes.family(self.supervisor) if pid != self.supervisor]

    def memory(self) -> int:
        """Return the resident bytes of all processes that the supervisor keeps."""
        return processes.resident_with_children(self.supervisor) - processes.resident(
            self.supervisor
        )

    async def _look(self) -> None:
        await super()._look()
        if self.level == LEVELS[0] and processes.sockets(self.pid) > MOST_SOCKETS:
            self.killed_for_memory = True
            self._kill()

    def quiescent_for(self) -> float:
        """Return for how many seconds the answer, with its orphans, will not move by itself."""
        return self.quiescence.seconds(self.supervisor, but=self.supervisor)

    def _kill(self) -> None:
        for pid in {self.pid, *processes.family(self.supervisor)} - {self.supervisor}:
            self._signal(pid, signal.SIGKILL)  # an orphan would keep the line open

    def _signal(self, pid: int, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)

    def blank_socket(self) -> socket.socket:
        """Return a TCP socket made in the answer's network, neither bound nor connected."""
        if not self._stock:
            self._stock = self._request_sockets()
        return self._stock.pop()

    def _request_sockets(self) -> list[socket.socket]:
        try:
            channel.send(self.control, {"do": "sockets"})
            _, fds = channel.receive(self.control)
        except (channel.ChannelClosed, OSError) as error:
            raise Gone(self.last_error()) from error
        if not fds:  # the system drops those that this process may not have
            raise NotRun("the marker has no descriptors left")
        return [socket.socket(fileno=fd) for fd in fds]


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
