"""The process of an upstream: a scripted server that counts; `Upstream` starts it."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
import math
import secrets
import ssl
import time
from collections import deque
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from aiohttp import web

from unblocked._descriptors import raise_descriptor_limit
from unblocked.rig import watchdog
from unblocked.rig.origin import Origin
from unblocked.rig.reply import Counts, Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unblocked.rig.child import Message

_PIECES = 10
_BACKLOG = 4096
_LOGGED = 50_000
_USUAL = frozenset({"accept", "accept-encoding", "connection", "content-length", "host"})
"""Headers that every client sends by itself: an echo leaves them out."""
_PROSE = "Où naît l\N{RIGHT SINGLE QUOTATION MARK}été, 東京では雨、Größe zählt, αλλά όχι εδώ · "


class Replies:
    """Decides which reply a call gets."""

    def __init__(self, default: Message, routes: dict[str, Message]) -> None:
        self._default = Reply(**default)
        self._routes = {path: Reply(**fields) for path, fields in routes.items()}
        self._turns: dict[str, int] = {}

    def set_delay(self, seconds: float) -> None:
        """Change the delay of paths without a reply of their own."""
        self._default = dataclasses.replace(self._default, delay=seconds)

    def reply_to(self, request: web.BaseRequest) -> Reply:
        """Return the reply of the path, changed as the query asks; raises `ValueError`."""
        path = self._match(request.path)
        reply = self._routes[path] if path is not None else self._default
        if not isinstance(reply.status, int):
            reply = dataclasses.replace(reply, status=self._turn(path or "", reply.status))
        return _overridden(reply, request)

    def _match(self, path: str) -> str | None:
        if path in self._routes:
            return path
        return next((known for known in self._routes if fnmatchcase(path, known)), None)

    def _turn(self, path: str, statuses: Sequence[int]) -> int:
        turn = self._turns.get(path, 0)
        self._turns[path] = turn + 1
        return statuses[turn % len(statuses)]


def _overridden(reply: Reply, request: web.BaseRequest) -> Reply:
    query = request.query
    changes: dict[str, Any] = {}
    for name in ("delay", "drip"):
        if name in query:
            changes[name] = _seconds(query[name])

    for name in ("size", "status"):
        if name in query:
            changes[name] = int(query[name])

    for name in ("hang", "cut", "echo"):
        if name in query:
            changes[name] = _truth(query[name])

    if "redirect" in query:
        changes["redirect"] = query["redirect"]
    if reply.json is None and _truth(query.get("json", "0")):
        changes["json"] = {"token": secrets.token_hex(8), "path": request.path}
    return dataclasses.replace(reply, **changes) if changes else reply


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"{text!r} is no number of seconds")
    return seconds


def _truth(text: str) -> bool:
    return text.lower() not in ("", "0", "false", "no")


class CallLog:
    """Counts calls, and keeps a list of them."""

    def __init__(self) -> None:
        self.started_at = time.time()
        self._zero = time.perf_counter()
        self.in_flight = 0
        self.reset(opened=0)

    def reset(self, opened: int) -> None:
        """Count from now on; `opened` connections have been accepted before."""
        self.requests = self.cut_short = 0
        self.peak = self.in_flight
        self.opened_before = opened
        self.calls: deque[list[Any]] = deque(maxlen=_LOGGED)

    def begin(self, request: web.BaseRequest, connection: int) -> list[Any]:
        """Count a call that came; return its row, which has the fields of `Call` in their order."""
        self.requests += 1
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        row = [request.path, request.query_string, request.method, connection]
        row += [self.now(), None, None, False]
        self.calls.append(row)
        return row

    def end(self, row: list[Any], *, cut_short: bool) -> None:
        """Count the end of a call."""
        self.in_flight -= 1
        self.cut_short += cut_short
        row[5], row[7] = self.now(), cut_short

    def now(self) -> float:
        """Return the seconds since the upstream started."""
        return round(time.perf_counter() - self._zero, 6)


class Gate:
    """Holds calls until enough are in flight, then lets all pass, later ones too."""

    def __init__(self) -> None:
        self._wanted = 0
        self._open = asyncio.Event()
        self._open.set()
        self._patience: asyncio.TimerHandle | None = None

    def shut(self, wanted: int, patience: float) -> None:
        """Hold calls until `wanted` are in flight or `patience` seconds have passed."""
        self.release()
        if wanted > 0:
            self._wanted = wanted
            self._open = asyncio.Event()
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(patience, self.release)

    def release(self) -> None:
        """Let all pass."""
        if self._patience is not None:
            self._patience.cancel()
        self._open.set()

    async def wait(self, in_flight: int) -> None:
        """Wait with the others; `in_flight` counts the caller, too."""
        if not self._open.is_set():
            if in_flight >= self._wanted:
                self.release()
            await self._open.wait()


class Pauses:
    """Where calls wait for their answer. In a hurry none of them waits."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        self._hurry = False

    def hurry(self, on: bool) -> None:
        """End all pauses and begin none, until this is turned off."""
        self._hurry = on
        for future in self._waiting if on else ():
            _finish(future)

    async def wait(self, seconds: float | None) -> None:
        """Wait for so many seconds; without end for None."""
        if self._hurry or seconds == 0:
            return
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        timer = loop.call_later(seconds, _finish, future) if seconds is not None else None
        self._waiting.add(future)

        try:
            await future
        finally:
            self._waiting.discard(future)
            if timer is not None:
                timer.cancel()


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class UpstreamServer:
    """The server of an `Upstream`, and the questions that its parent asks it."""

    def __init__(self, replies: Replies, tls: ssl.SSLContext | None) -> None:
        self._replies = replies
        self._tls = tls
        self._log = CallLog()
        self._gate = Gate()
        self._pauses = Pauses()
        self._origin = Origin(self._answer)
        self.ended = asyncio.Event()

    async def serve(self) -> None:
        """Listen, tell the parent where, and answer until the parent ends."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            self._origin, "127.0.0.1", 0, backlog=_BACKLOG, ssl=self._tls
        )
        watchdog.follow(loop, self._hear, self.ended.set)
        port = server.sockets[0].getsockname()[1]
        watchdog.tell({"port": port, "started_at": self._log.started_at})
        await self.ended.wait()
        server.close()
        await self._origin.shutdown(0)

    def _hear(self, message: Message) -> None:
        number, what = message.pop("number"), message.pop("ask")
        try:
            reply = {"answer": getattr(self, f"on_{what}")(**message)}
        except Exception as error:  # Without a reply the parent would wait for ever.
            why = f"{type(error).__name__}: {error}"
            reply = {"error": f"the upstream could not do {what!r}: {why}"}
        watchdog.tell({"number": number, **reply})

    def on_counts(self) -> Message:
        """Return the fields of `Counts`."""
        log = self._log
        opened = self._origin.opened - log.opened_before
        counts = Counts(
            requests=log.requests,
            in_flight=log.in_flight,
            peak=log.peak,
            open=self._origin.open,
            opened=opened,
            cut_short=log.cut_short,
        )
        return dataclasses.asdict(counts)

    def on_handshakes(self) -> int:
        """Return how many TLS handshakes were completed."""
        return self._tls.session_stats()["accept_good"] if self._tls is not None else 0

    def on_reset(self) -> None:
        """Count and list from now on."""
        self._log.reset(self._origin.opened)

    def on_delay(self, seconds: float) -> None:
        """Set the delay of paths without a reply of their own."""
        self._replies.set_delay(seconds)

    def on_gather(self, wanted: int, patience: float) -> None:
        """Hold calls until so many are in flight."""
        self._gate.shut(wanted, patience)

    def on_hurry(self, on: bool) -> None:
        """Answer every call at once, those that wait already too; or as told again."""
        if on:
            self._gate.release()
        self._pauses.hurry(on)

    def on_log(self) -> list[list[Any]]:
        """Return the calls, as rows in the order of the fields of `Call`."""
        return list(self._log.calls)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        row = self._log.begin(request, self._origin.number_of(request))
        cut_short = True
        try:
            response = await self._reply(request, row)
            cut_short = False
            return response
        except ConnectionError:
            return web.Response()  # Nobody is there to see it.
        finally:
            self._log.end(row, cut_short=cut_short)

    async def _reply(self, request: web.BaseRequest, row: list[Any]) -> web.StreamResponse:
        try:
            reply = self._replies.reply_to(request)
        except ValueError as error:
            return web.Response(status=400, text=f"in the query: {error}")
        # First the gate, then the delay: calls that were held together are answered together.
        await self._gate.wait(self._log.in_flight)
        await self._pauses.wait(reply.delay)
        if reply.hang:
            await self._pauses.wait(None)
        return await self._respond(request, reply, row)

    async def _respond(
        self, request: web.BaseRequest, reply: Reply, row: list[Any]
    ) -> web.StreamResponse:
        body, kind = await _body(request, reply)
        response = web.StreamResponse(status=302 if reply.redirect else _status(reply))
        response.headers["Content-Type"] = kind
        if reply.redirect:
            response.headers["Location"] = reply.redirect
        response.headers.update(reply.headers)
        row[6] = response.status
        # Without a length the body is sent in chunks, and its end is not known beforehand.
        if not reply.drip:
            response.content_length = len(body)
        await response.prepare(request)
        await _write(request, response, body, reply)
        return response


def _status(reply: Reply) -> int:
    assert isinstance(reply.status, int)
    return reply.status


async def _write(
    request: web.BaseRequest, response: web.StreamResponse, body: bytes, reply: Reply
) -> None:
    if reply.cut:
        await response.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.close()
    elif reply.drip:
        await _drip(response, body, reply.drip)
        await response.write_eof()
    else:
        await response.write_eof(body)


async def _drip(response: web.StreamResponse, body: bytes, pause: float) -> None:
    size = max(1, math.ceil(len(body) / _PIECES))
    for start in range(0, len(body), size):
        if start:
            await asyncio.sleep(pause)
        await response.write(body[start : start + size])


async def _body(request: web.BaseRequest, reply: Reply) -> tuple[bytes, str]:
    if reply.echo:
        return json.dumps(await _echo(request)).encode(), "application/json"
    if reply.json is not None:
        return json.dumps(reply.json).encode(), "application/json"
    token = f"{secrets.token_hex(8)} "
    text = token.encode() + _prose(reply.size - len(token))
    return (text if reply.size >= len(token) else text[: reply.size]), "text/plain; charset=utf-8"


@functools.lru_cache(maxsize=64)
def _prose(characters: int) -> bytes:
    repeated = _PROSE * (max(0, characters) // len(_PROSE) + 1)
    return repeated[: max(0, characters)].encode()


async def _echo(request: web.BaseRequest) -> Message:
    """Return what came, with path and query as they were sent, so that a learner sees what is
    quoted.
    """
    body = b"".join([piece async for piece in request.content.iter_any()])
    path, _, query = request.raw_path.partition("?")
    told = {name.lower(): value for name, value in request.headers.items()}
    return {
        "method": request.method,
        "path": path,
        "query": query,
        "headers": {name: told[name] for name in sorted(told) if name not in _USUAL},
        "body": body.decode(errors="replace"),
    }


def _tls(certificate: str | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def _main() -> None:
    start = watchdog.first_message()
    raise_descriptor_limit()
    replies = Replies(start["default"], start["routes"])
    await UpstreamServer(replies, _tls(start["certificate"])).serve()


if __name__ == "__main__":
    watchdog.run(_main())
