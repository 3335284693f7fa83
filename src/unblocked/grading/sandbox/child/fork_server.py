"""A process that has imported what answers need, and forks one process per run of an answer.

For POSIX only, as it forks.

The fork server has one thread and no event loop, so that forking it is safe. Each fork becomes a
*supervisor*: it enters the isolation asked for, forks the answer's process, hands the marker
sockets made in the answer's network, and clears up everything when the marker closes its end.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from unblocked.grading.sandbox.child import bubblewrap, channel, isolation
from unblocked.grading.sandbox.child.sockets import tcp_socket

if TYPE_CHECKING:
    from collections.abc import Callable

_THIS = (sys.executable, "-P", "-m", "unblocked.grading.sandbox.child.fork_server")

STOCK = 24
"""Sockets handed over at a time: the answer's network is not the marker's."""


def main() -> None:
    """Serve the marker on descriptor 0 until it goes; or, with arguments, one run in bubblewrap."""
    gc.disable()  # until all is there: it is a fifth of the time that imports take
    _import_httpx()
    if sys.argv[1:]:
        _prepare()
        order, *fds = map(json.loads, sys.argv[1:])
        _run_isolated(order, fds)

    _prepare()
    marker = socket.socket(fileno=os.dup(0))
    channel.send(marker, {"event": "ready"})

    while True:
        _reap()
        try:
            order, fds = channel.receive(marker)
        except (channel.ChannelClosed, OSError):
            _reap()
            os._exit(0)  # taking it all down in order takes as long as marking an answer
        # The fork becomes the supervisor of one run, and never comes back from it.
        if os.fork() == 0:
            marker.close()
            _as_supervisor(order, fds)
        for fd in fds:
            os.close(fd)


def _import_httpx() -> None:
    """Import HTTPX without its command line: that takes Click and Rich, and no answer needs it."""
    sys.modules["click"] = None  # type: ignore[assignment]
    import httpx  # noqa: F401

    del sys.modules["click"]


def _prepare() -> None:
    """Import all that answers need, and leave it in memory pages that forks share.

    Nothing is collected before: freed pages would be filled, and so copied, by every fork.
    """
    import resource  # noqa: F401
    from importlib.metadata import version

    import anyio._backends._asyncio  # noqa: F401
    import uvicorn.lifespan.on
    import uvicorn.protocols.http.h11_impl  # noqa: F401

    from unblocked.grading.sandbox.child import answer_process  # noqa: F401

    version("fastapi")  # finds all packages for good: an answer may not look into their folder
    _share_certificates()
    if sys.platform == "linux":
        isolation.shared_handles()
    _quiet()
    gc.freeze()
    gc.enable()


def _share_certificates() -> None:
    """Have HTTPX read the certificates once for all runs, instead of in 25 ms for each client."""
    from importlib import import_module

    import httpx

    default: Any = import_module("httpx._transports.default")
    read: Callable[..., Any] = default.create_ssl_context
    usual = read()

    def create_ssl_context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> Any:
        is_usual = verify is True and cert is None and trust_env
        return usual if is_usual else read(verify=verify, cert=cert, trust_env=trust_env)

    default.create_ssl_context = create_ssl_context
    httpx.Client().close()


def _quiet() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _to_null(1, 2)


def _to_null(*fds: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for fd in fds:
        os.dup2(null, fd)
    os.close(null)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _as_supervisor(order: dict[str, Any], fds: list[int]) -> None:
    if order["level"] != "bubblewrap":
        _run_isolated(order, fds)
    try:
        bubblewrap.become([*_THIS, *map(json.dumps, (order, *fds))], order["scratch"], fds)
    except OSError as error:
        _refuse(socket.socket(fileno=fds[0]), error)
    finally:
        os._exit(0)


def _run_isolated(order: dict[str, Any], fds: list[int]) -> NoReturn:
    control = socket.socket(fileno=fds[0])
    try:
        supervisor(order, control, talk=fds[1], out=fds[2])
    except BaseException as error:
        _refuse(control, error)
    finally:
        os._exit(0)


def _refuse(control: socket.socket, error: BaseException) -> None:
    with contextlib.suppress(OSError):
        channel.send(control, {"event": "refused", "error": f"{type(error).__name__}: {error}"})


def supervisor(order: dict[str, Any], control: socket.socket, talk: int, out: int) -> None:
    """Isolate, fork the answer's process, serve the marker's requests, then clear up."""
    # A session of its own: no signal of a terminal reaches a run.
    os.setsid()
    isolation.around(order["level"], order["scratch"])
    channel.send(control, {"event": "supervisor", "pid": os.getpid()})
    child = os.fork()
    if child == 0:
        _as_answer(order, control, talk, out)
    os.close(talk)
    os.close(out)

    try:
        _serve(control)
    finally:
        isolation.clear(child)


def _as_answer(order: dict[str, Any], control: socket.socket, talk: int, out: int) -> None:
    from unblocked.grading.sandbox.child import answer_process

    try:
        # A process group of its own, so that the supervisor can end all of it by one signal.
        os.setpgid(0, 0)
        _to_null(0)
        for fd in (1, 2):
            os.dup2(out, fd)
        os.close(out)
        _shut_in(order, control)
        sys.stdout, sys.stderr = (_text_out(fd) for fd in (1, 2))
        answer_process.main(socket.socket(fileno=talk))
    finally:
        os._exit(1)


def _shut_in(order: dict[str, Any], control: socket.socket) -> None:
    """Isolate this process, and report so while the marker's line is still at hand."""
    with control:
        try:
            isolation.inside(order["level"], order["scratch"], order["limits"])
        except BaseException as error:
            _refuse(control, error)
            raise
        channel.send(control, {"event": "born", "pid": os.getpid()})


def _text_out(fd: int) -> TextIO:
    return os.fdopen(
        fd, "w", buffering=1, closefd=False, encoding="utf-8", errors="backslashreplace"
    )


def _serve(control: socket.socket) -> None:
    """Hand out sockets on request, until the marker closes its end."""
    actions: dict[str, Callable[[socket.socket], None]] = {"sockets": _hand_out}
    while select.select([control], [], [])[0]:
        try:
            message, _ = channel.receive(control)
        except (channel.ChannelClosed, OSError):
            return
        actions[message["do"]](control)


def _hand_out(control: socket.socket) -> None:
    made = [tcp_socket() for _ in range(STOCK)]
    channel.send(control, {"event": "sockets"}, [s.fileno() for s in made])
    for sock in made:
        sock.close()


if __name__ == "__main__":
    main()
