"""The answer's own process: executes the answer, serves its app, and does what the marker says.

Everything here runs beside the learner's code, which could change it at will. So nothing that this
process says decides a mark alone: behaviour is judged by what reaches the upstream and the callers.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import contextlib
import inspect
import json
import linecache
import logging
import os
import signal
import sys
import traceback
import types
from importlib.abc import InspectLoader
from typing import TYPE_CHECKING, Any

import uvicorn

import unblocked
from unblocked.grading.sandbox.child import cells, channel, inside, scripted
from unblocked.grading.sandbox.child.blocking import Detector
from unblocked.grading.sandbox.child.clock import VirtualClock
from unblocked.grading.sandbox.child.errors import last_error
from unblocked.grading.sandbox.child.sockets import tcp_socket

if TYPE_CHECKING:
    import socket

FILE = "answer.py"
"""The name under which the answer's code stands in tracebacks."""
KEEP_ALIVE = 3600
"""Seconds that a caller's idle connection stays."""


class AnswerServer(uvicorn.Server):
    """uvicorn without its ticks and timeouts: a server with nothing to do must not wake up by
    itself.
    """

    def __init__(self, app: Any, clock: VirtualClock) -> None:
        self.clock = clock
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http="h11",
                ws="none",
                lifespan="auto",
                log_level="error",
                timeout_keep_alive=KEEP_ALIVE,
            )
        )
        self.begun, self._leave = asyncio.Event(), asyncio.Event()

    async def main_loop(self) -> None:
        """Serve until told to leave."""
        # One tick sets the Date header; uvicorn would renew it ten times a second, and each tick
        # would make an answer that waits look as if it moved.
        await self.on_tick(0)
        self.begun.set()
        await self._leave.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down as uvicorn does, without the tenth of a second that it sleeps for first."""
        # uvicorn sleeps for 0.1 s before it looks whether connections have closed.
        asyncio.get_running_loop().call_soon(self.clock.forward, 0.1)
        await super().shutdown(sockets)

    def leave(self) -> None:
        """Shut down."""
        self.should_exit = True
        self._leave.set()


class StartFailed(Exception):
    """The app's start-up failed; the text says why. Uvicorn has logged it already."""


class _Logged(logging.Handler):
    """Keeps what a logger is given, tracebacks included."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        lines = self.format(record).splitlines()
        self.text += "".join(f"{line.lstrip(' |')}\n" for line in lines)  # groups have a margin


class Answer:
    """The learner's module, the functions that inspect it, and the server of its app."""

    def __init__(self, talk: socket.socket) -> None:
        self.talk = talk
        self.clock = VirtualClock()
        self.detector = Detector(FILE, self._say_what_blocks)
        self.module = types.ModuleType("answer")
        self.inspector = types.ModuleType("inspector")
        exec(INSIDE, vars(self.inspector))
        self.server: AnswerServer | None = None
        self.over = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()

    def say(self, **message: Any) -> None:
        """Send a message to the marker; a closed channel ends this process."""
        # The detector rests meanwhile: sending blocks on purpose here, and is no fault of the
        # answer.
        thread, self.detector.thread = self.detector.thread, 0
        self.talk.setblocking(True)  # so that it is out when the event loop closes
        try:
            channel.send(self.talk, message)
        except OSError:
            os._exit(0)
        self.talk.setblocking(False)
        self.detector.thread = thread

    def _say_what_blocks(self, where: str, what: str) -> None:
        self.say(event="blocking", where=where, what=what)

    async def load(self, spec: dict[str, Any]) -> bool:
        """Execute the given names, the answer and the room's functions, and report how it went;
        return whether it succeeded.
        """
        sys.modules["answer"] = self.module
        vars(sys.modules["unblocked"])["__getattr__"] = _of_the_notebook
        # Before any code of the answer, so that no app is made unseen.
        self.inspector.watch()
        vars(self.inspector)["answer"] = self.module
        vars(self.module).update(spec["bindings"], __builtins__=builtins)

        try:
            # What looks at the answer is there before it, and takes nothing that it has changed.
            await _execute(spec["inside"], "inside.py", vars(self.inspector))
            await _execute(spec["given"], "given.py", vars(self.module))
            note = await self._execute_answer(spec["cells"], spec["needed"])
        except BaseException as error:
            traceback.print_exc()
            self.say(event="load-failed", error=describe(error))
            return False

        self.say(event="loaded", value=note)
        return True

    async def _execute_answer(self, written: list[str], needed: str) -> str:
        """Execute the learner's cells; return what was odd about them."""
        whole, note = cells.put_together(written, needed)
        left_out: list[str] = []
        source, names = cells.as_python(whole, left_out.append)
        vars(self.module).update(names)
        await _execute(source, FILE, vars(self.module))
        return " ".join(filter(None, [note, cells.note_of(left_out)]))

    async def obey(self) -> None:
        """Do what comes over the channel until it closes or says that it is over."""
        hearing = asyncio.create_task(self._hear())
        await self.over.wait()
        hearing.cancel()

    async def _hear(self) -> None:
        while True:
            try:
                message = await channel.hear(self.talk)
            except (channel.ChannelClosed, OSError):
                os._exit(0)
            task = asyncio.create_task(self._do(message))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _do(self, message: dict[str, Any]) -> None:
        what = message.pop("do")
        try:
            value = await getattr(self, f"_do_{what}")(**message)
        except StartFailed as error:
            self.say(event=f"{what}-failed", error=str(error))
        except BaseException as error:
            traceback.print_exc()
            self.say(event=f"{what}-failed", error=describe(error))
        else:
            self.say(event=f"{what}-done", value=value)

    async def _do_start(self) -> int:
        app = getattr(self.module, "app", None)
        if app is None:
            raise NameError("name 'app' is not defined")
        self.server, log = AnswerServer(app, self.clock), _Logged()
        logging.getLogger("uvicorn.error").addHandler(log)
        sock = _listening()
        self.serving = asyncio.create_task(_survive(self.server.serve(sockets=[sock])))
        begun = asyncio.create_task(self.server.begun.wait())
        await asyncio.wait([self.serving, begun], return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        logging.getLogger("uvicorn.error").removeHandler(log)
        if not self.server.started:
            raise StartFailed(f"its lifespan raised {last_error(log.text) or 'an error'}")
        self.detector.watch()
        port: int = sock.getsockname()[1]
        return port

    async def _do_stop(self) -> bool:
        assert self.server is not None
        self.detector.rest()
        self.clock.go_on()
        self.server.leave()
        await self.serving
        return not self.server.lifespan.should_exit

    async def _do_call(self, name: str, args: dict[str, Any]) -> Any:
        value = getattr(self.inspector, name)(**args)
        if inspect.isawaitable(value):
            value = await value
        # Fail here, where the error can be reported, on what JSON cannot carry.
        return json.loads(json.dumps(value))

    async def _do_freeze(self) -> None:
        self.clock.freeze()

    async def _do_forward(self, seconds: float) -> None:
        self.clock.forward(seconds)

    async def _do_timer(self) -> float:
        """Return the seconds until the loop's next timer, by the virtual clock; a negative number
        for none.
        """
        due = self.clock.next_timer()
        return -1.0 if due is None else due

    async def _do_tests(self) -> list[str]:
        return scripted.tests_of(self.module)

    async def _do_test(self, name: str, url: str, port: int, key: str) -> str:
        return await scripted.run(getattr(self.module, name), url, port, key, FILE)

    async def _do_watch(self) -> None:
        self.detector.watch()

    async def _do_end(self) -> None:
        self.detector.rest()
        self.over.set()


def _code_of(module: types.ModuleType) -> types.CodeType:
    """Return a module's code, read now: later its file may be out of reach."""
    loader = module.__spec__ and module.__spec__.loader
    code = loader.get_code(module.__name__) if isinstance(loader, InspectLoader) else None
    assert code
    return code


def _of_the_notebook(name: str) -> Any:
    """Return a stand-in for a name that `from unblocked import …` gives notebooks only; calling it
    raises.

    The lines that try an answer out stand in other cells; an import may stand in its own.
    """
    if name not in unblocked.__all__:
        raise AttributeError(f"module 'unblocked' has no attribute {name!r}")

    def absent(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"{name}() is for the notebook: leave it out of the answer's cell")

    return absent


INSIDE = _code_of(inside)
"""Each answer's process executes it anew: no `import` leads an answer to what looks at it."""


def _listening() -> socket.socket:
    """Return a TCP socket that listens on a free port of 127.0.0.1."""
    sock = tcp_socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(500)
    return sock


async def _survive(serving: Any) -> None:
    """Keep the loop running when uvicorn leaves by SystemExit after a failed start-up."""
    try:
        await serving
    except SystemExit:
        return


async def _execute(source: str, file: str, namespace: dict[str, Any]) -> None:
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    code = compile(source, file, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    result = types.FunctionType(code, namespace)()
    if inspect.iscoroutine(result):
        await result


def describe(error: BaseException) -> str:
    """Return one line that a learner can act on: the error's class, its text and the answer's own
    line.
    """
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == FILE]
    if isinstance(error, SyntaxError) and error.filename == FILE:
        lines = [error.lineno]
    where = f" (line {lines[-1]} of your answer)" if lines else ""
    return f"{type(error).__name__}: {error}"[:600] + where


def main(talk: socket.socket) -> None:
    """Live as an answer's process until the marker closes the channel."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.captureWarnings(False)
    talk.setblocking(False)
    answer_over = asyncio.run(_life(talk))
    talk.setblocking(True)
    with contextlib.suppress(OSError):
        if answer_over:
            channel.send(talk, {"event": "ended"})
        while talk.recv(1):
            pass


async def _life(talk: socket.socket) -> bool:
    answer = Answer(talk)
    if await answer.load(await channel.hear(talk)):
        await answer.obey()
        return True
    return False
