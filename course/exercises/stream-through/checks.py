"""What is graded in `stream-through`: a body that passes through, seen from its two ends."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import zlib
from typing import TYPE_CHECKING

import aiohttp

from unblocked.grading.checks.exam import App, Call, Exam, Failed, Reply, Upstream, criterion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATH = "/download"
KIB, MIB = 1 << 10, 1 << 20
PIECE = 64 * KIB
FIRST_PART = 256 * KIB
"""What the upstream sends before it holds: more than anybody collects before passing it on."""
STOPS = 4
STAGE = 50 * MIB
"""Between two stops at which the app's memory is read: 200 MiB in all."""
MOST_MEMORY = 32 * MIB
MOST_TAKEN = 8 * MIB
UNSEEN = 32 * MIB
"""What the queues may hold where the system does not tell."""
TOO_MUCH = 256 * MIB
"""Where an endless body stops being sent: it is clear by then that somebody takes all of it."""
SMALL_BUFFER = 64 * KIB
CSV = "text/csv; charset=iso-8859-1"
TAR = "application/x-tar"


class Reader:
    """A caller that counts what comes instead of keeping it, and stops reading when told."""

    def __init__(self, app: App, appetite: float = float("inf")) -> None:
        self.app, self.appetite = app, appetite
        self.status, self.received, self.checksum = 0, 0, 0
        self.broken = False
        self.beginning = b""
        self.task = asyncio.create_task(self._read())
        app.tasks.append(self.task)

    async def _read(self) -> Reply:
        async with self.app.open(PATH) as response:
            self.status = response.status
            with contextlib.suppress(aiohttp.ClientError):
                while self.received < self.appetite:
                    piece = await response.content.readany()
                    if not piece:
                        return Reply(response.status, response.headers, b"")
                    self._take(piece)
                await asyncio.Event().wait()
            self.broken = True
            return Reply(response.status, response.headers, b"", broken=True)

    def _take(self, piece: bytes) -> None:
        if self.received // MIB != (self.received + len(piece)) // MIB or not self.received:
            self.app.process.pulse()
        self.received += len(piece)
        self.checksum = zlib.crc32(piece, self.checksum)
        if len(self.beginning) < FIRST_PART:
            self.beginning += piece

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def sends(body: bytes, kind: str, *, length: bool, **headers: str) -> Callable[[Call], Awaitable]:
    """A script: these bytes, in pieces, with their length told or not."""

    async def script(call: Call) -> None:
        size = len(body) if length else None
        await call.head(length=size, content_type=kind, **headers)
        for start in range(0, len(body), 50_001):
            await call.send(body[start : start + 50_001])
        await call.finish()

    return script


async def fetch(app: App, called: str) -> Reply:
    return (await app.answers([app.call(PATH)], called=called))[0]


def expect_body(app: App, reply: Reply, body: bytes, called: str, look: str = "") -> None:
    if reply.status == 200 and reply.body == body and not reply.broken:
        return
    saw = f"{reply.status}, {len(reply.body)} bytes"
    if reply.broken:
        saw += ", broken off"
    elif len(reply.body) == len(body):
        saw += ", not the same"
    raise Failed(
        called=called,
        saw=app.with_log(saw),
        expected=f"200 and the upstream's {len(body)} bytes",
        look=look or "aiter_raw gives the bytes as they came; text and lines are interpretations",
    )


@criterion("the body comes through, byte for byte", points=1)
async def whole(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        for length in (False, True):
            body = b"\r\n\xff\x00" + os.urandom(300_000) + b"\n\xe6"
            upstream.script = sends(body, TAR, length=length)
            called = f"GET {PATH}, {'with' if length else 'without'} a content-length"
            expect_body(app, await fetch(app, called), body, called)
        if len(upstream.calls) != 2:
            raise Failed(
                called=f"GET {PATH}, twice",
                saw=f"{len(upstream.calls)} upstream calls",
                expected="one for each request",
            )
    return "Bytes in, the same bytes out. Nobody had to know what they mean."


@criterion("its type and its length come along", points=1)
async def headers(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        for kind, length in ((TAR, True), (CSV, True), (CSV, False), (TAR, False)):
            body = os.urandom(20_000)
            upstream.script = sends(body, kind, length=length)
            called = f"GET {PATH}, {kind}, {'with' if length else 'without'} a content-length"
            reply = await fetch(app, called)
            expect_body(app, reply, body, called)
            expect_header(reply, "content-type", kind, called)
            if length:
                expect_header(reply, "content-length", str(len(body)), called)
    return "With a length, the caller can show progress, and knows when something is missing."


def expect_header(reply: Reply, name: str, value: str, called: str) -> None:
    found = reply.headers.get(name, "")
    if plain(found) == plain(value):
        return
    raise Failed(
        called=called,
        saw=f"{name}: {found}" if found else f"no {name}",
        expected=f"{name}: {value}",
        look="the upstream's headers are there before its body: `response.headers`",
    )


def plain(header: str) -> str:
    return header.replace(" ", "").replace('"', "").lower()


@criterion("the first bytes come early", points=2)
async def first_bytes(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        body = os.urandom(2 * FIRST_PART)

        async def first_part(call: Call) -> None:
            await call.head(content_type=TAR)
            await call.send(body[:FIRST_PART])
            await upstream.released.wait()
            await call.send(body[FIRST_PART:])
            await call.finish()

        upstream.script = first_part
        called = f"GET {PATH}, while the upstream holds all but the first {FIRST_PART // KIB} KiB"
        caller = Reader(app)
        await first_bytes_come(app, caller, called)
        if not body.startswith(caller.beginning):
            raise Failed(called=called, saw="other bytes", expected="the upstream's first bytes")
        upstream.released.set()
        await app.answers([caller.task], called=called)
        if caller.broken or caller.checksum != zlib.crc32(body):
            saw = f"{caller.received} bytes" + (", broken off" if caller.broken else "")
            raise Failed(called=called, saw=saw, expected=f"the upstream's {len(body)} bytes")
    return "What had come was passed on at once. The last byte comes when it comes."


async def first_bytes_come(app: App, caller: Reader, called: str) -> None:
    await app.until(
        lambda: caller.received > 0,
        called=called,
        saw=lambda: f"status {caller.status or 'none'}, no byte of the body",
        expected="the first bytes, before the last are there",
        look="`client.get` and `aread` take the whole body: client.stream, or send(stream=True)",
        calls=[caller.task],
    )


class Flood:
    """A large body that is sent in stages, or as long as somebody takes it."""

    def __init__(self, total: float = TOO_MUCH) -> None:
        self.block = os.urandom(PIECE)
        self.total = total
        self.sent, self.checksum = 0, 0
        self.gates = [asyncio.Event() for _ in range(STOPS)]

    async def endless(self, call: Call) -> None:
        """A script: send until nobody takes more, or far too much is taken."""
        await call.head(content_type=TAR)
        await self.pour(call, self.total)
        await asyncio.Event().wait()

    async def staged(self, call: Call) -> None:
        """A script: send, and hold at each stop until the check has looked."""
        await call.head(content_type=TAR, length=STOPS * STAGE)
        for gate in self.gates:
            await self.pour(call, STAGE)
            await gate.wait()
        await call.finish()

    async def pour(self, call: Call, amount: float) -> None:
        end = self.sent + amount
        while self.sent < end:
            piece = self.sent.to_bytes(8, "big") + self.block[8:]
            await call.send(piece)
            self.sent += len(piece)
            self.checksum = zlib.crc32(piece, self.checksum)


@criterion("200 MiB pass in little memory", points=2)
async def memory(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        called = f"GET {PATH}, a small body"
        upstream.script = sends(b"small", TAR, length=True)
        expect_body(app, await fetch(app, called), b"small", called)
        before = app.process.memory()
        flood = Flood()
        upstream.script = flood.staged
        caller = Reader(app)
        for stop, gate in enumerate(flood.gates, 1):
            await pass_stage(app, caller, stop)
            more = app.process.memory() - before
            if more >= MOST_MEMORY:
                raise Failed(
                    called=f"GET {PATH}, {stop * STAGE // MIB} MiB have passed",
                    saw=f"{more // MIB} MiB more memory than before",
                    expected=f"less than {MOST_MEMORY // MIB} MiB",
                    look="who still holds a piece after it was sent: a list, a cache, a log?",
                )
            gate.set()
        called = f"GET {PATH}, 200 MiB"
        await app.answers([caller.task], called=called)
        if caller.broken or caller.checksum != flood.checksum:
            saw = f"{caller.received} bytes" + (", broken off" if caller.broken else "")
            raise Failed(called=called, saw=saw, expected=f"the upstream's {flood.sent} bytes")
    return "200 MiB went through, a piece at a time. A thousand callers would cost pieces, too."


async def pass_stage(app: App, caller: Reader, stop: int) -> None:
    """Wait, with fresh patience for every few MiB, until all but the last piece has come."""
    wanted = stop * STAGE - MIB
    while caller.received < wanted:
        goal = min(wanted, caller.received + 10 * MIB)
        await app.until(
            lambda: caller.received >= goal,  # noqa: B023 - called before it changes
            called=f"GET {PATH}, while the upstream holds all but {stop * STAGE // MIB} MiB",
            saw=lambda: f"{caller.received // MIB} MiB came",
            expected=f"{stop * STAGE // MIB} MiB, passed on as they came",
            look="memory stays flat when no more than a piece is held",
            calls=[caller.task],
        )


@criterion("a slow caller slows the upstream down", points=2)
async def back_pressure(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        app.receive_buffer = SMALL_BUFFER
        flood = Flood()
        upstream.script = flood.endless
        called = f"GET {PATH}, an endless body; the caller reads its beginning and then no more"
        caller = Reader(app, appetite=1)
        await first_bytes_come(app, caller, called)
        await stands_still(app, upstream, flood, called)
    return "Nobody wrote code for this: a full socket stops the app, and the app the upstream."


async def stands_still(app: App, upstream: Upstream, flood: Flood, called: str) -> None:
    """Let the app's loop turn until it takes no more.

    Raises:
        Failed: it has taken too much.
    """
    before = -1
    while before != flood.sent:
        before = flood.sent
        await app.settle()
        queued = app.queued(upstream)
        taken = flood.sent - (UNSEEN if queued is None else queued)
        if taken >= MOST_TAKEN:
            raise Failed(
                called=called,
                saw=f"the app took {taken // MIB} MiB for a caller who is not reading",
                expected="it soon takes no more",
                look="what lies between reading and sending: a queue needs a maxsize",
            )


@criterion("lets go when the caller leaves", points=2)
async def caller_leaves(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        flood = Flood()

        async def late_and_endless(call: Call) -> None:
            await upstream.released.wait()
            await flood.endless(call)

        upstream.script = late_and_endless
        called = f"GET {PATH}; the caller leaves before the upstream has answered"
        caller = Reader(app)
        await app.until(
            lambda: upstream.in_flight == 1,
            called=called,
            expected="an upstream call",
            calls=[caller.task],
        )
        await caller.leave()
        await app.turn()
        upstream.released.set()
        await expect_let_go(app, upstream, called)
    async with exam.serving() as (app, upstream):
        flood = Flood()

        async def held_then_endless(call: Call) -> None:
            await call.head(content_type=TAR)
            await call.send(flood.block * 4)
            await upstream.released.wait()
            await flood.pour(call, TOO_MUCH)
            await asyncio.Event().wait()

        upstream.script = held_then_endless
        called = f"GET {PATH}; the caller leaves while the upstream holds the rest"
        caller = Reader(app)
        await first_bytes_come(app, caller, called)
        await caller.leave()
        await app.turn()
        upstream.released.set()
        await expect_let_go(app, upstream, called)
    async with exam.serving() as (app, upstream):
        app.receive_buffer = SMALL_BUFFER
        flood = Flood()
        upstream.script = flood.endless
        called = f"GET {PATH}; the caller stops reading, and leaves in the middle of the body"
        caller = Reader(app, appetite=1)
        await first_bytes_come(app, caller, called)
        await app.turn()
        await caller.leave()
        await expect_let_go(app, upstream, called)
    return "A StreamingResponse is cancelled when its caller leaves. Yours closed what it held."


async def expect_let_go(app: App, upstream: Upstream, called: str) -> None:
    await app.let_go(
        lambda: upstream.in_flight == 0,
        called=called,
        saw=lambda: f"{upstream.in_flight} upstream connection still carries an unfinished body",
        expected="the upstream connection let go",
        look="who closes the response, and when: an `async with` around its whole life, in a "
        "dependency with `yield`, covers every way out",
    )


@criterion("lets go after a 404", points=1)
async def not_found_let_go(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):

        async def held_not_found(call: Call) -> None:
            await call.head(404)
            await call.send("not here")
            await upstream.released.wait()
            await call.send(os.urandom(4 * MIB))
            await call.finish()

        upstream.script = held_not_found
        called = f"GET {PATH}, the upstream answers 404 with a long body; the caller leaves"
        caller = Reader(app)
        await app.until(
            lambda: upstream.in_flight == 1,
            called=called,
            expected="an upstream call",
            calls=[caller.task],
        )
        await app.settle()
        await caller.leave()
        await app.turn()
        upstream.released.set()
        await expect_let_go(app, upstream, called)
    return "An answer that is not passed on has to be closed, too. Forgotten ones fill the pool."


@criterion("a 404 is a 404, unreachable a 502", points=1)
async def statuses(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        upstream.script = lambda call: call.reply("not here", status=404)
        await expect_status(app, 404, f"GET {PATH}, the upstream answers 404")
        body = os.urandom(1000)
        upstream.script = sends(body, TAR, length=True)
        called = f"GET {PATH}, after a 404"
        expect_body(app, await fetch(app, called), body, called)
    async with exam.run() as app:
        app.bind(URL=f"{app.unreachable()}/body")
        await app.start()
        await expect_status(app, 502, f"GET {PATH}, the upstream cannot be reached")
    return "The status was known before the first byte was sent. Afterwards it is too late."


async def expect_status(app: App, status: int, called: str) -> None:
    reply = await fetch(app, called)
    if reply.status != status:
        raise Failed(
            called=called,
            saw=app.with_log(reply.status),
            expected=str(status),
            look="open the upstream response before you return yours: its status is known then",
        )


@criterion("an encoded body arrives as it was sent", points=1)
async def encoded(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        for length in (False, True):
            body = gzip.compress(os.urandom(2000).hex().encode() * 20)
            upstream.script = sends(body, TAR, length=length, content_encoding="gzip")
            called = f"GET {PATH}, gzip, {'with' if length else 'without'} a content-length"
            look = "aiter_bytes and iter_any decode; aiter_raw does not"
            expect_body(app, await fetch(app, called), body, called, look)
    return (
        "The bytes are as they were sent. Pass on content-encoding with them, or nobody can read "
        "them; that header was not graded."
    )


@criterion("a body that breaks off does not look complete", points=1)
async def breaks_off(exam: Exam) -> str:
    for length in (None, 2 * FIRST_PART):
        async with exam.serving() as (app, upstream):
            await break_off(app, upstream, length)
    return "The connection was cut, not ended. After the first byte that is the only way to say it."


async def break_off(app: App, upstream: Upstream, length: int | None) -> None:
    async def stops_short(call: Call) -> None:
        await call.head(content_type=TAR, length=length)
        await call.send(os.urandom(FIRST_PART))
        await upstream.released.wait()
        call.break_off()

    upstream.script = stops_short
    told = "without" if length is None else "with"
    called = f"GET {PATH}, {told} a content-length; the upstream breaks off in the middle"
    caller = Reader(app)
    await app.until(
        lambda: upstream.in_flight == 1,
        called=called,
        expected="an upstream call",
        calls=[caller.task],
    )
    await app.settle()
    upstream.released.set()
    await app.until(
        caller.task.done,
        called=called,
        saw=lambda: f"{caller.received} bytes, and the caller still waits",
        expected="the caller is told",
    )
    if caller.task.exception() is None and caller.status == 200 and not caller.broken:
        raise Failed(
            called=called,
            saw=f"200 and {caller.received} bytes that look complete",
            expected="a body that the caller can see is broken",
            look="an error that is swallowed, in the generator or by a middleware made with "
            "@app.middleware, ends the body as if all was there: let it out",
        )


@criterion("starts and stops cleanly", points=1)
async def stops_cleanly(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        body = os.urandom(1000)
        upstream.script = sends(body, TAR, length=True)
        expect_body(app, await fetch(app, f"GET {PATH}"), body, f"GET {PATH}")
        await app.stop()
        await app.until(
            lambda: upstream.open == 0,
            called="shutdown, with the process still alive",
            saw=lambda: f"{upstream.open} connections open at the upstream",
            expected="none: the lifespan closes its client",
            look="`async with httpx.AsyncClient(…) as client: yield` in the lifespan",
        )
        await app.end()
        await app.until(
            lambda: app.process.threads() <= 1,
            called="shutdown",
            saw=lambda: f"{app.process.threads() - 1} threads of the answer still run",
            expected="none",
        )
    return "The body was read to its end, so its connection was kept, and the lifespan closed it."
