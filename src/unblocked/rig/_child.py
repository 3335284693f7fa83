"""A Python process of ours that ends when this one does, spoken to in lines of JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import suppress
from itertools import count
from typing import Any

_LEAVE_SECONDS = 3.0

Message = dict[str, Any]


class Child:
    """Runs `python -m module`; its standard input is the watchdog: end of file ends it.

    It has a session (on Windows a process group) of its own, because an interrupt of a notebook
    goes to the kernel's whole group. `-P` keeps files beside the notebook from hiding modules.
    """

    def __init__(self, module: str, start: Message) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            creationflags=_creation_flags(),
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

    def receive(self) -> Message:
        """The next message, waited for; raises `RuntimeError` when the process is gone."""
        assert self._process.stdout is not None
        try:
            line = self._process.stdout.readline()
        except ValueError as error:
            raise self._gone() from error
        if not line.endswith(b"\n"):
            raise self._gone()
        message: Message = json.loads(line)
        return message

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


def _creation_flags() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return 0
