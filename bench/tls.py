"""What keep-alive and one shared client are worth, without TLS and with it, on this machine."""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
import time
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import certifi
import httpx
import httpx2
import psutil
from httpx_aiohttp import HttpxAiohttpClient
from httpx_aiohttp.httpx2 import Httpx2AiohttpClient

from bench.report import Report, cell, middle, significant, spread
from bench.variants.lean import LeanTransport
from unblocked.rig import Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence

    from bench.report import Row, Size

KEPT, CLOSED, ANEW, BARE = "shared, kept", "shared, closed", "one a call", "one a call, own TLS"
USES = {
    KEPT: "one client for all calls, connections kept",
    CLOSED: "one client for all calls, each with `Connection: close`",
    ANEW: "a client for each call, all with one TLS context",
    BARE: "a client for each call, `AsyncClient()` without more: it makes its own context",
}
"""How the client is used → what that means."""
SCHEMES = ("http", "https")
_AT_ONCE = {"tiny": 2, "quick": 10, "full": 10}
_SECONDS = {"tiny": 0.0, "quick": 0.4, "full": 1.5}
_REPETITIONS = {"tiny": 1, "quick": 3, "full": 7}
_LEAST_CALLS = 2
"""Of each of those that call at once, so that a lap of no seconds counts connections, too."""
_CLOSE = {"Connection": "close"}


class _Aiohttp:
    """An aiohttp session whose `get` makes a whole call, as HTTPX's does."""

    def __init__(self, tls: ssl.SSLContext | None, headers: Mapping[str, str]) -> None:
        connector = aiohttp.TCPConnector(limit=0, ssl=True if tls is None else tls)
        self._session = aiohttp.ClientSession(connector=connector, headers=headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    async def get(self, url: str) -> Any:
        async with self._session.get(url) as response:
            response.raise_for_status()
            return await response.read()


def _lean(tls: ssl.SSLContext | None, headers: Mapping[str, str]) -> httpx.AsyncClient:
    transport = LeanTransport(verify=True if tls is None else tls)
    return httpx.AsyncClient(transport=transport, headers=headers)


def _stock(tls: ssl.SSLContext | None, headers: Mapping[str, str]) -> httpx.AsyncClient:
    return httpx.AsyncClient(verify=True if tls is None else tls, headers=headers)


def _second(tls: ssl.SSLContext | None, headers: Mapping[str, str]) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(verify=True if tls is None else tls, headers=dict(headers))


def _on_aiohttp(tls: ssl.SSLContext | None, headers: Mapping[str, str]) -> httpx.AsyncClient:
    return HttpxAiohttpClient(verify=True if tls is None else tls, headers=headers)


def _second_on_aiohttp(
    tls: ssl.SSLContext | None, headers: Mapping[str, str]
) -> httpx2.AsyncClient:
    return Httpx2AiohttpClient(verify=True if tls is None else tls, headers=dict(headers))


KINDS: dict[str, Callable[[ssl.SSLContext | None, Mapping[str, str]], Any]] = {
    "httpx": _stock,
    "httpx2": _second,
    "HttpxAiohttpClient": _on_aiohttp,
    "Httpx2AiohttpClient": _second_on_aiohttp,
    "own transport": _lean,
    "aiohttp": _Aiohttp,
}
"""What is called what in the tables → how to open it; a context of None: it makes its own."""


@dataclass(frozen=True, slots=True)
class Way:
    """One client, used in one way, over one scheme."""

    kind: str
    use: str
    scheme: str


WAYS = [
    Way(kind, use, scheme)
    for kind in KINDS
    for use in USES
    for scheme in SCHEMES
    if (kind, use) != ("aiohttp", BARE)  # All its sessions share one context.
]


@dataclass(frozen=True, slots=True)
class Lap:
    """One way, one repetition."""

    way: Way
    per_second: float
    cpu_ms: float
    """Milliseconds of CPU of the caller's process for each call."""
    upstream_ms: float
    """Milliseconds of CPU of the upstream for each call."""
    connections: float
    """Opened for each call, as the upstream counts them."""
    handshakes: float
    """For each call, as the upstream's OpenSSL counts them."""


def study(size: Size) -> Report:
    """Calls a second, handshakes and CPU of each way. Raises `ImportError` without `trustme`."""
    with _upstreams() as (upstreams, tls):
        found = [
            _lap(way, upstreams[way.scheme], tls, size)
            for _ in range(_REPETITIONS[size])
            for way in WAYS
        ]
    rows = [_row(way, found) for way in WAYS]
    return Report(
        title="Keep-alive and one shared client, without TLS and with it",
        rows=rows,
        notes=_notes(size, rows),
        tables={"What TLS takes, and what keep-alive gives back": _compared(found)},
        figures=_figures(found),
    )


# --- the rig --------------------------------------------------------------------------------


@contextmanager
def _upstreams() -> Iterator[tuple[dict[str, Upstream], ssl.SSLContext]]:
    """One for each scheme, and a context that trusts that with TLS; so does the environment."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="unblocked-tls-")))
        known = certificates(folder)
        stack.enter_context(_trusted(known))
        plain = stack.enter_context(Upstream(delay=0.0))
        secure = stack.enter_context(Upstream(delay=0.0, certificate=folder / "server.pem"))
        yield {"http": plain, "https": secure}, ssl.create_default_context(cafile=known)


def certificates(folder: Path) -> Path:
    """Write `server.pem`; returns a file of the usual authorities and the one that signed it.

    The usual ones are there, since reading them is what a context of one's own costs.

    Raises:
        ImportError: `trustme` is not installed.
    """
    try:
        import trustme
    except ImportError as error:
        raise ImportError("trustme is missing; install it with `pip install -e .[dev]`") from error
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    known = folder / "known.pem"
    usual = Path(certifi.where()).read_bytes()
    known.write_bytes(usual + b"\n" + authority.cert_pem.bytes())
    return known


@contextmanager
def _trusted(authorities: Path) -> Iterator[None]:
    """Within, HTTPX's own contexts know these authorities."""
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(authorities)
    try:
        yield
    finally:
        os.environ.pop("SSL_CERT_FILE")
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before


# --- a lap ----------------------------------------------------------------------------------


def _lap(way: Way, upstream: Upstream, tls: ssl.SSLContext, size: Size) -> Lap:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_ride(way, upstream, tls, size))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop on which uvicorn runs an app, too."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _ride(way: Way, upstream: Upstream, tls: ssl.SSLContext, size: Size) -> Lap:
    async with _caller(way, tls) as call:
        await call(upstream.url)  # What is loaded late is loaded now.
        upstream.reset()
        seen = _Seen(upstream)
        calls = await _all(call, upstream.url, _AT_ONCE[size], _SECONDS[size])
        return seen.lap(way, calls)


@asynccontextmanager
async def _caller(way: Way, tls: ssl.SSLContext) -> AsyncIterator[Callable[[str], Any]]:
    """A function that makes one call in this way."""
    open_client = KINDS[way.kind]
    context = None if way.use == BARE else tls
    headers = _CLOSE if way.use == CLOSED else {}
    if way.use in (KEPT, CLOSED):
        async with open_client(context, headers) as client:
            yield client.get
        return

    async def call(url: str) -> Any:
        async with open_client(context, headers) as client:
            return await client.get(url)

    yield call


async def _all(call: Callable[[str], Any], url: str, at_once: int, seconds: float) -> int:
    """So many loops of calls at once, for so many seconds; returns the number of calls."""
    until = time.perf_counter() + seconds

    async def one() -> int:
        made = 0
        while made < _LEAST_CALLS or time.perf_counter() < until:
            await call(url)
            made += 1
        return made

    return sum(await asyncio.gather(*(one() for _ in range(at_once))))


class _Seen:
    """What the clocks and counters said when it was made."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._process = psutil.Process(upstream.pid)
        self._handshakes = upstream.handshakes
        self._served = self._upstream_cpu()
        self._cpu = time.process_time()
        self._began = time.perf_counter()

    def lap(self, way: Way, calls: int) -> Lap:
        """What has happened since."""
        seconds = time.perf_counter() - self._began
        cpu = time.process_time() - self._cpu
        served = self._upstream_cpu() - self._served
        return Lap(
            way=way,
            per_second=calls / seconds,
            cpu_ms=1000 * cpu / calls,
            upstream_ms=1000 * served / calls,
            connections=self._upstream.counts.opened / calls,
            handshakes=(self._upstream.handshakes - self._handshakes) / calls,
        )

    def _upstream_cpu(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


# --- what is said of them -------------------------------------------------------------------


def _row(way: Way, found: Iterable[Lap]) -> Row:
    mine = [lap for lap in found if lap.way == way]
    return {
        "client": way.kind,
        "used": way.use,
        "scheme": way.scheme,
        "calls_per_second": middle([lap.per_second for lap in mine], 3),
        "spread": spread([significant(lap.per_second, 3) for lap in mine]),
        "cpu_ms_per_call": middle([lap.cpu_ms for lap in mine], 3),
        "upstream_cpu_ms_per_call": middle([lap.upstream_ms for lap in mine], 2),
        "connections_per_call": middle([lap.connections for lap in mine], 3),
        "handshakes_per_call": middle([lap.handshakes for lap in mine], 3),
    }


def ratios(found: Sequence[Lap], over: Way, under: Way) -> list[float]:
    """Calls a second of one way by those of another, repetition by repetition."""
    above = [lap.per_second for lap in found if lap.way == over]
    below = [lap.per_second for lap in found if lap.way == under]
    return [significant(a / b, 3) for a, b in zip(above, below, strict=True)]


def _compared(found: Sequence[Lap]) -> list[Row]:
    return [_compared_row(kind, use, found) for kind in KINDS for use in USES if _has(kind, use)]


def _has(kind: str, use: str) -> bool:
    return Way(kind, use, "http") in WAYS


def _compared_row(kind: str, use: str, found: Sequence[Lap]) -> Row:
    row: Row = {"client": kind, "used": use}
    for scheme in SCHEMES:
        gained = ratios(found, Way(kind, KEPT, scheme), Way(kind, use, scheme))
        row |= {f"kept is faster, {scheme}": middle(gained, 3), f"spread, {scheme}": spread(gained)}
    taken = ratios(found, Way(kind, use, "http"), Way(kind, use, "https"))
    return row | {"http is faster than https": middle(taken, 3), "its spread": spread(taken)}


def _figures(found: Sequence[Lap]) -> dict[str, Any]:
    """How many times as many calls a second one kept client makes as each other use."""
    return {
        f"{kind}, {KEPT} over {use}, {scheme}": middle(
            ratios(found, Way(kind, KEPT, scheme), Way(kind, use, scheme)), 3
        )
        for kind in KINDS
        for use in USES
        for scheme in SCHEMES
        if use != KEPT and _has(kind, use)
    }


def _notes(size: Size, rows: Sequence[Row]) -> list[str]:
    at_once, times = _AT_ONCE[size], _REPETITIONS[size]
    return [
        f"One process makes {at_once} calls at once to an upstream that answers at once, over the "
        f"loopback. {times} interleaved repetitions of {_SECONDS[size]:g} s; a ratio is taken "
        "repetition by repetition, then the median. The certificate is of an elliptic curve "
        "(P-256) and signed by an authority made for the run; no session is resumed, as Python's "
        "clients resume none.",
        "How a client is used: "
        + "; ".join(f"*{use}*: {what}" for use, what in USES.items())
        + ". "
        "An aiohttp session of its own needs no context of its own: all share one.",
        "On the loopback a round trip takes next to nothing. On a network each new connection "
        "waits for one round trip more, each new TLS connection for two: at 20 ms, 40 ms before "
        "the request is sent. So these ratios are the least that keep-alive gives.",
        _earned(rows),
    ]


def _earned(rows: Sequence[Row]) -> str:
    said = [_earned_by(kind, rows) for kind in KINDS]
    return f"CPU of a call over a kept connection and over a new one: {'; '.join(said)}."


def _earned_by(kind: str, rows: Sequence[Row]) -> str:
    cost = {
        (row["scheme"], row["used"]): row["cpu_ms_per_call"]
        for row in rows
        if row["client"] == kind
    }
    parts = [
        f"{scheme} {cell(cost[scheme, KEPT])} and {cell(cost[scheme, CLOSED])} ms"
        for scheme in SCHEMES
    ]
    return f"{kind}: {', '.join(parts)}"
