"""A Python process of ours that ends when this one does, spoken to in lines of JSON."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import suppress
from itertools import count
from typing import Any

from unblocked._python import apart, python

_LEAVE_SECONDS = 3.0

Message = dict[str, Any]


class Child:
    """Runs `python -m module`; its standard input is the watchdog: end of file ends it.

    An interrupt of the notebook does not reach it: it is this process that decides when it ends.
    """

    def __init__(self, module: str, start: Message) -> None:
        self._process = subprocess.Popen(
            python(module), stdin=subprocess.PIPE, stdout=subprocess.PIPE, **apart()
        )
        self._name = module.rpartition("._")[2].removesuffix("_child")
        self._stopped = False
        self._numbers = count(1)
        self._lock = threading.Lock()
        try:
            self.send(start)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def send(self, message: Message) -> None:
        """Write one message; raises `RuntimeError` when the process is gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise self._gone() from error

    def receive(self) -> Any:
        """Wait for the next message; raises `RuntimeError` when the process is gone."""
        assert self._process.stdout is not None
        try:
            line = self._process.stdout.readline()
        except ValueError as error:
            raise self._gone() from error
        if not line.endswith(b"\n"):
            raise self._gone()
        return json.loads(line)

    def ask(self, what: str, **arguments: Any) -> Any:
        """Send a question and wait for its answer; the questions of several threads queue.

        Raises:
            RuntimeError: the process is gone.
            ValueError: the question could not be answered; says why.
        """
        with self._lock:
            number = next(self._numbers)
            self.send({"ask": what, "number": number, **arguments})
            while True:  # An interrupted question leaves its answer in the pipe.
                reply = self.receive()
                if reply.get("number") == number:
                    break
        if "error" in reply:
            raise ValueError(reply["error"])
        return reply["answer"]

    def close(self) -> None:
        """End the process, by force if it does not leave, and wait for it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stopped = True
        with suppress(OSError):
            self._process.stdin.close()

        try:
            self._process.wait(_LEAVE_SECONDS)
        except BaseException as error:
            self._process.kill()
            self._process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
        finally:
            self._process.stdout.close()

    def kill(self) -> None:
        """End the process at once and wait for it; whoever reads from it sees the end."""
        self._process.kill()
        self._process.wait()

    def _gone(self) -> RuntimeError:
        if self._stopped:
            return RuntimeError(
                f"the {self._name} has been stopped: run the cell that makes it again"
            )
        return RuntimeError(f"process {self.pid} ended unexpectedly ({self._process.poll()})")
