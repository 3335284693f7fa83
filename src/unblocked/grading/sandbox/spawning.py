"""Runs answers without fork: each in a Python of its own, which connects back to the marker.

It works on every system, and is what Windows has. Importing takes each run a second. There are no
walls: of the ladder it is the last level, `limits`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import os
import secrets
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import psutil

from unblocked._python import apart, python
from unblocked.grading.sandbox import processes
from unblocked.grading.sandbox.child import channel
from unblocked.grading.sandbox.child.isolation import STANDARD
from unblocked.grading.sandbox.run import (
    START_PATIENCE,
    TAIL,
    AnswerRun,
    Code,
    Gone,
    NotRun,
    Refused,
)
from unblocked.grading.sandbox.starting import environment

if TYPE_CHECKING:
    from typing import IO

MARK = "UNBLOCKED_RUN"
"""The variable that all processes of a run inherit, orphans too."""
_END_PATIENCE = 10.0

_Line = tuple[asyncio.StreamReader, asyncio.StreamWriter, dict[str, Any]]


class Spawns:
    """The way to make processes that needs nothing prepared."""

    lost = False

    async def ready(self) -> None:
        """Do nothing: there is no process to wait for."""

    async def end(self) -> None:
        """Do nothing: there is no process to end."""

    def run(self, level: str, code: Code) -> AnswerRun:
        """Return a run of this answer; only the level `limits` can be had."""
        return SpawnedRun(level, code)


class SpawnedRun(AnswerRun):
    """A run in a process that was started for it."""

    def __init__(self, level: str, code: Code) -> None:
        super().__init__(code)
        self.level = level
        self.secret = secrets.token_hex(16)
        self.mark = secrets.token_hex(8)
        self.killed_for_cpu = False

    async def _begin(self) -> None:
        if self.level != "limits":
            raise Refused(f"This system cannot fork, so it has no isolation {self.level!r}.")
        self.line: asyncio.Future[_Line | None] = asyncio.get_running_loop().create_future()
        # The process connects back, as descriptors cannot be handed to it on Windows. Any process
        # of this machine may connect, so only the one that knows the secret is accepted.
        server = await asyncio.start_server(self._greet, "127.0.0.1", 0, start_serving=False)

        try:
            await server.start_serving()
            self._spawn(server.sockets[0].getsockname()[1])
            self.reader, self.writer, hello = await self._await_introduction()
        finally:
            server.close()  # the line stays open

        self._is_process(int(hello["pid"]))  # in a venv of Windows, Popen's is a launcher's
        self._threads_of_ours = processes.threads(self.pid) - 1

    def _spawn(self, port: int) -> None:
        self.process = subprocess.Popen(
            python("unblocked.grading.sandbox.child.spawned"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment() | {MARK: self.mark},
            **apart(),
        )
        self._read_output()
        self.to_clear.push_async_callback(asyncio.to_thread, self._end)
        self._is_process(self.process.pid)
        self._give_order(port)

    def _give_order(self, port: int) -> None:
        assert self.process.stdin is not None
        order = {"port": port, "secret": self.secret, "scratch": self.scratch, "limits": STANDARD}
        try:
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise NotRun("its process did not start") from error

    def _is_process(self, pid: int) -> None:
        try:
            self.pid, self.root = pid, psutil.Process(pid)
        except psutil.Error as error:
            raise NotRun("its process did not start") from error

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Accept the connection of the process that knows the secret, once."""
        try:
            hello = await channel.read(reader)
        except channel.ChannelClosed:
            hello = {}
        known = hmac.compare_digest(str(hello.get("secret")).encode(), self.secret.encode())
        if known and not self.line.done():
            self.to_clear.callback(writer.close)
            self.line.set_result((reader, writer, hello))
        else:
            writer.close()

    async def _await_introduction(self) -> _Line:
        line = None
        with contextlib.suppress(TimeoutError):
            line = await asyncio.wait_for(self.line, START_PATIENCE)
        if line is None:
            raise NotRun("its process did not start")
        return line

    def _read_output(self) -> None:
        assert self.process.stdout is not None
        loop = asyncio.get_running_loop()
        arguments = (self.process.stdout, loop)
        self.reading = threading.Thread(target=self._keep_output, args=arguments, daemon=True)
        self.reading.start()

    def _keep_output(self, out: IO[bytes], loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may be closed first
            while piece := os.read(out.fileno(), TAIL):
                loop.call_soon_threadsafe(self.keep, piece)
            loop.call_soon_threadsafe(self._report_end)

    def _report_end(self) -> None:
        if not self.line.done():
            self.line.set_result(None)

    async def _look(self) -> None:
        resident, cpu = await asyncio.to_thread(self._usage)
        self._judge_memory(resident)
        if cpu > STANDARD["cpu"]:
            self.killed_for_cpu = True
            self._kill()

    def _usage(self) -> tuple[int, float]:
        return processes.resident_with_children(self.pid), processes.cpu_seconds(self.pid)

    async def load(self, seconds: float = START_PATIENCE) -> None:
        """Execute the answer as everywhere; one that computes without end has not
        ended by itself.
        """
        try:
            await super().load(seconds)
        except Gone as gone:
            raise (TimeoutError() if self.killed_for_cpu else gone) from None

    def threads(self) -> int:
        """Return the threads of the answer's processes beyond those of its start; 0 when it has
        gone.

        One waits for the marker's end, and Windows adds its own.
        """
        return max(0, super().threads() - self._threads_of_ours)

    def _kill(self) -> None:
        processes.end_family(self.root)

    def _end(self) -> None:
        if hasattr(self, "root"):
            self._kill()
        self.process.kill()
        # Orphans are no children of the process any more, but they inherited its environment.
        processes.end_marked(MARK, self.mark)
        self.process.wait()
        self.reading.join(_END_PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not self.reading.is_alive():
                with contextlib.suppress(OSError):  # what it would not read
                    pipe.close()
