"""The upstream of an app: a scripted HTTP server in a process of its own."""

from __future__ import annotations

import atexit
import dataclasses
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from unblocked.rig import _cell, _values
from unblocked.rig._host import free_loopback_of_proxies
from unblocked.rig.child import Child
from unblocked.rig.reply import Call, Counts, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


class Upstream:
    """A scripted HTTP server on 127.0.0.1, in a process of its own, that counts what it sees.

    The parameters are those of `Reply` and hold for every path; `routes` gives single paths a reply
    of their own (`"/users/*"` is allowed). A query overrides both for one call:
    `?delay=0.5&size=1000&status=500&drip=0.1&hang=1&cut=1&json=1&echo=1&redirect=/x`.

    `certificate` is a PEM file with a private key and the certificates for it: with it the server
    speaks TLS, and TLS only.

    Run again in the same notebook cell, it replaces the one that the cell started before.
    Raises `RuntimeError` when the process does not start, `ValueError` as `Reply` does.
    """

    def __init__(
        self,
        *,
        delay: float = 0.2,
        size: int = 200,
        status: int | Sequence[int] = 200,
        json: Any = None,
        drip: float = 0.0,
        hang: bool = False,
        cut: bool = False,
        headers: dict[str, str] | None = None,
        redirect: str | None = None,
        echo: bool = False,
        routes: Mapping[str, Reply] | None = None,
        certificate: Path | None = None,
    ) -> None:
        free_loopback_of_proxies()
        default = Reply(
            delay=delay,
            size=size,
            status=status,
            json=json,
            drip=drip,
            hang=hang,
            cut=cut,
            headers=headers or {},
            redirect=redirect,
            echo=echo,
        )
        _cell.stop_earlier("upstream")
        start = _start_message(default, routes or {}) | {
            "certificate": certificate and str(certificate)
        }
        self._child = Child("unblocked.rig._upstream_child", start)
        atexit.register(self.stop)

        try:
            said = self._child.receive()
        except BaseException:
            self.stop()
            raise

        self._delay = delay
        self._scheme = "https" if certificate is not None else "http"
        self.port: int = said["port"]
        self.started_at: float = said["started_at"]
        """The zero of the times in `log()`, in seconds since the epoch."""
        _cell.keep("upstream", self)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without a slash at the end; `https:` with a certificate."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._child.pid

    @property
    def delay(self) -> float:
        """Seconds from a call to its answer, where no route or query says otherwise; can be set.

        Setting it raises `ValueError` for what is no number of seconds.
        """
        return self._delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        _values.seconds("delay", seconds)
        self._child.ask("delay", seconds=seconds)
        self._delay = seconds

    @property
    def counts(self) -> Counts:
        """What it has seen since it started or since `reset()`."""
        return Counts(**self._child.ask("counts"))

    @property
    def handshakes(self) -> int:
        """TLS handshakes that came to their end since it started, as OpenSSL counts them."""
        return int(self._child.ask("handshakes"))

    def reset(self) -> None:
        """Count from now on; empties `log()`, too."""
        self._child.ask("reset")

    def gather_at(self, calls: int, *, patience: float = 10.0) -> None:
        """Hold every answer until `calls` are in flight at once, then let all go.

        It opens once and stays open, also when `patience` seconds have passed without that many.
        `gather_at(0)` opens it at once. Raises `ValueError` for numbers that cannot be meant.
        """
        _values.whole("calls", calls, least=0)
        _values.seconds("patience", patience)
        self._child.ask("gather", wanted=calls, patience=patience)

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Answer every call at once during the block, also those that wait already and those that
        hang.

        So an app that waits in threads, which nothing can cancel, comes to its end.
        """
        self._child.ask("hurry", on=True)
        try:
            yield
        finally:
            self._child.ask("hurry", on=False)

    def log(self) -> list[Call]:
        """Return the calls since the start or the last `reset()`, at most the last 50,000."""
        return [Call(*row) for row in self._child.ask("log")]

    def stop(self) -> None:
        """End the process and wait for it. Stopping twice is fine."""
        atexit.unregister(self.stop)
        _cell.forget(self)
        self._child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = self.url if self._child.running else "stopped"
        return f"<Upstream {state}>"


def _start_message(default: Reply, routes: Mapping[str, Reply]) -> dict[str, Any]:
    return {
        "default": _fields(default),
        "routes": {path: _fields(reply) for path, reply in routes.items()},
    }


def _fields(reply: Reply) -> dict[str, Any]:
    return {field.name: getattr(reply, field.name) for field in dataclasses.fields(reply)}
