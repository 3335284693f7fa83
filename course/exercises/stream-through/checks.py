"""What is graded in `stream-through`: a body that passes through, seen from its two ends."""

from __future__ import annotations

import asyncio
import gzip
import os
import zlib

from unblocked.grading.checks import (
    LOST,
    REFUSED,
    App,
    Call,
    Exam,
    Reader,
    Reply,
    Script,
    Upstream,
    called,
    criterion,
    expect,
    expect_nothing_left,
    expect_released,
    expect_reply,
    failing_upstream,
    nothing_blocks,
    until_read,
    while_open,
)

PATH = "/download"
KIB, MIB = 1 << 10, 1 << 20
MAY_COLLECT = 64 * KIB
PIECE, SMALL_PIECE = 64 * KIB, 2 * KIB
PART = MAY_COLLECT + 2 * SMALL_PIECE
"""What the upstream sends in small pieces before it holds: just more than may be collected."""
PARTS = 3
STAGES, STAGE = 4, 50 * MIB
"""Between two stages the app's memory is read: 200 MiB in all."""
MOST_MEMORY = 32 * MIB
MOST_TAKEN = 8 * MIB
UNSEEN = 32 * MIB
"""What the queues may hold where the system does not tell."""
TOO_MUCH = 256 * MIB
"""Where an endless body stops being sent: it is clear by then that somebody takes all of it."""
SMALL_BUFFER = 64 * KIB
CSV = "text/csv; charset=iso-8859-1"
TAR = "application/x-tar"
RAW = "aiter_raw gives the bytes as they came; bytes, text and lines are interpretations"
COLLECTS = (
    "who collects before passing on? `client.get` and `aread` take the whole body, "
    "client.stream and send(stream=True) do not; up to 64 KiB may be collected"
)
CLOSED = (
    "was the response closed before its body was read? "
    "`return` inside `async with` leaves the block"
)
WHO_CLOSES = (
    "who closes the response, and when: a dependency with `yield`, whose `finally` closes it, "
    "covers every way out"
)


class Download(Reader):
    """A caller of `GET /download`, who counts what comes, and stops reading when told."""

    def __init__(self, app: App, appetite: float = float("inf")) -> None:
        self.appetite, self.checksum, self.beginning = appetite, 0, b""
        super().__init__(app, PATH)

    async def take(self, piece: bytes) -> bool:
        self.checksum = zlib.crc32(piece, self.checksum)
        if len(self.beginning) < PARTS * PART:
            self.beginning += piece
        before = self.received - len(piece)
        if before < MIB or before // MIB != self.received // MIB:
            self.app.moved()  # of a large body now and then: each time costs patience
        if self.received >= self.appetite:
            await asyncio.Event().wait()
        return True

    async def has(self, size: int, expected: str, look: str) -> None:
        """Wait until so many bytes are there; raises `Failed` if the reply ends before."""
        await while_open([self], lambda: self.received or self.over, expected, look)
        look = look if self.received else CLOSED
        await while_open([self], lambda: self.received >= size, expected, look)

    async def ended(self) -> None:
        """Wait until the reply is over."""
        await until_read([self], lambda: self.over, "the end of the body")

    def expect_all(self, size: int, checksum: int) -> None:
        """The reply was 200, complete, and what was sent."""
        right = self.complete and (self.status, self.checksum) == (200, checksum)
        expected = f"200 and the upstream's {size} bytes"
        expect(right, saw=self.app.with_log(self), expected=expected, look=RAW)

    def __str__(self) -> str:
        if not self.status:
            return "no reply" if not self.over else "a connection that was closed"
        return f"status {self.status}, {self.received} bytes of a body{self.end}"


def sends(body: bytes, kind: str = TAR, *, length: bool = True, **headers: str) -> Script:
    """Return a script that sends these bytes, in pieces, with their length told or not."""

    async def script(call: Call) -> None:
        size = len(body) if length else None
        await call.head(length=size, content_type=kind, **headers)
        for start in range(0, len(body), 50_001):
            await call.send(body[start : start + 50_001])
        await call.finish()

    return script


def told(length: object) -> str:
    return "with a content-length" if length else "in chunks, without a content-length"


def expect_bytes(app: App, reply: Reply, body: bytes, look: str = RAW) -> None:
    """The reply is 200, and its body is these bytes."""
    saw = f"{reply.status}, {len(reply.body)} bytes"
    if reply.broken:
        saw += ", broken off"
    elif len(reply.body) == len(body):
        saw += ", not the same"
    right = reply.status == 200 and reply.body == body and not reply.broken
    expected = f"200 and the upstream's {len(body)} bytes"
    look = CLOSED if reply.broken and not reply.body else look
    expect(right, saw=app.with_log(saw), expected=expected, look=look)


def expect_header(reply: Reply, name: str, value: str, look: str = "") -> None:
    """The reply has this header."""
    found = reply.headers.get(name, "")
    expect(
        plain(found) == plain(value),
        saw=f"{name}: {found}" if found else f"no {name}",
        expected=f"{name}: {value}",
        look=look or "the upstream's headers are there before its body: `response.headers`",
    )


def plain(header: str) -> str:
    return header.replace(" ", "").replace('"', "").lower()


@criterion("the body comes through, byte for byte", points=1)
async def whole(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        for number, (size, length) in enumerate(((300_000, True), (3 * MIB, False)), 1):
            body = b"\r\n\xff\x00" + os.urandom(size) + b"\n\xe6"
            upstream.script = sends(body, length=length)
            with called(f"GET {PATH}, {size // KIB} KiB {told(length)}"):
                expect_bytes(app, await app.get(PATH), body)
                saw = f"{len(upstream.calls)} upstream calls after {number} requests"
                expect(len(upstream.calls) == number, saw=saw, expected="one for each request")
    return "Bytes in, the same bytes out. Nobody had to know what they mean."


@criterion("its type and its length come along", points=1)
async def headers(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        for kind, length in ((TAR, True), (CSV, True), (CSV, False), (TAR, False)):
            body = os.urandom(20_000)
            upstream.script = sends(body, kind, length=length)
            with called(f"GET {PATH}, {kind}, {told(length)}"):
                reply = await app.get(PATH)
                expect_bytes(app, reply, body)
                expect_header(reply, "content-type", kind)
                if length:
                    expect_header(reply, "content-length", str(len(body)))
    return "With a length, the caller can show progress, and knows when something is missing."


@criterion("the first bytes come early", points=2)
async def first_bytes(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        for length in (None, PARTS * PART):
            body = os.urandom(PARTS * PART)
            upstream.begin(in_parts(body, length))
            with called(f"GET {PATH}, {told(length)}, while the upstream holds the rest"):
                caller = Download(app)
                for part in range(1, PARTS + 1):
                    upstream.give_turn()
                    sent = part * PART
                    wanted = f"more of the {sent // KIB} KiB that were sent than all but 64 KiB"
                    await caller.has(sent - MAY_COLLECT, wanted, COLLECTS)
                    saw = "other bytes than were sent"
                    right = body.startswith(caller.beginning)
                    expect(right, saw=saw, expected="the upstream's bytes", look=RAW)
                await caller.ended()
                caller.expect_all(len(body), zlib.crc32(body))
    return "What had come was passed on at once. The last byte comes when it comes."


def in_parts(body: bytes, length: int | None) -> Script:
    """Return a script that sends the body in small pieces, and holds after each `PART` of it."""

    async def script(call: Call) -> None:
        await call.head(content_type=TAR, length=length)
        for start in range(0, len(body), SMALL_PIECE):
            if start % PART == 0:
                await call.upstream.turn()
            await call.send(body[start : start + SMALL_PIECE])
        await call.finish()

    return script


class Flood:
    """A large body that is sent in stages, or as long as somebody takes it."""

    def __init__(self) -> None:
        self.block = os.urandom(PIECE)
        self.sent, self.checksum = 0, 0

    async def endless(self, call: Call) -> None:
        """A script: send until nobody takes more, or far too much is taken."""
        await call.head(content_type=TAR)
        await self.pour(call, TOO_MUCH)
        await asyncio.Event().wait()

    def staged(self, stages: int, *, length: bool) -> Script:
        """Return a script that sends, and holds at each stage until the check has looked."""

        async def script(call: Call) -> None:
            await call.head(content_type=TAR, length=stages * STAGE if length else None)
            for _ in range(stages):
                await self.pour(call, STAGE - PIECE)
                await call.upstream.turn()
                await self.pour(call, PIECE)
            await call.finish()

        return script

    async def pour(self, call: Call, amount: int) -> None:
        """Send so many bytes."""
        end = self.sent + amount
        while self.sent < end:
            piece = self.sent.to_bytes(8, "big") + self.block[8:]
            await call.send(piece)
            self.sent += len(piece)
            self.checksum = zlib.crc32(piece, self.checksum)


@criterion("200 MiB pass in little memory", points=1)
async def memory(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        upstream.script = sends(b"small")
        with called(f"GET {PATH}, a small body"):
            expect_bytes(app, await app.get(PATH), b"small")
        before = app.memory()
        for stages, length in ((1, True), (STAGES, False)):
            flood = Flood()
            upstream.script = flood.staged(stages, length=length)
            with called(f"GET {PATH}, {stages * STAGE // MIB} MiB {told(length)}"):
                caller = Download(app)
                for stage in range(1, stages + 1):
                    await pass_stage(app, caller, stage, before)
                    upstream.give_turn()
                await caller.ended()
                caller.expect_all(flood.sent, flood.checksum)
    return "200 MiB went through, a piece at a time. A thousand callers would cost pieces, too."


async def pass_stage(app: App, caller: Download, stage: int, before: int) -> None:
    """All but the last piece has come, and has left next to nothing behind."""
    size = stage * STAGE // MIB
    wanted = f"{size} MiB, passed on as they came, while the upstream holds the rest"
    while caller.received < stage * STAGE - MIB:  # with fresh patience for every few MiB
        goal = min(stage * STAGE - MIB, caller.received + 5 * MIB)
        await caller.has(goal, wanted, COLLECTS)
    more = app.memory() - before
    expect(
        more < MOST_MEMORY,
        saw=f"{more // MIB} MiB more memory than before, when {size} MiB have passed",
        expected=f"less than {MOST_MEMORY // MIB} MiB",
        look="who still holds a piece after it was sent: a list, a cache, a log?",
    )


@criterion("a slow caller slows the upstream down", points=2)
async def back_pressure(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        app.callers.receive_buffer = SMALL_BUFFER
        flood = Flood()
        upstream.script = flood.endless
        with called(f"GET {PATH}, an endless body; the caller reads its beginning and no more"):
            caller = Download(app, appetite=1)
            await caller.has(1, "the first bytes, before the last are there", COLLECTS)
            before = -1
            while before != flood.sent:
                before = flood.sent
                await app.settle()
                expect_little_taken(flood.sent, app.queued(upstream))
    return "Nobody wrote code for this: a full socket stops the app, and the app the upstream."


def expect_little_taken(sent: int, queued: int | None) -> None:
    """What was sent and lies in no queue of the system is in the app's hands: it is little."""
    taken = sent - (UNSEEN if queued is None else queued)
    expect(
        taken < MOST_TAKEN,
        saw=f"the app took {taken // MIB} MiB for a caller who is not reading",
        expected="it soon takes no more",
        look="what lies between reading and sending: a queue needs a maxsize",
    )


@criterion("lets go when the caller leaves", points=2)
async def caller_leaves(exam: Exam) -> str:
    await leaves_before_the_reply(exam)
    await leaves_while_the_rest_is_held(exam)
    await leaves_a_body_unread(exam)
    return "A StreamingResponse is cancelled when its caller leaves. Yours closed what it held."


async def leaves_before_the_reply(exam: Exam) -> None:
    async with exam.serving() as (app, upstream):
        flood = Flood()

        async def late_and_endless(call: Call) -> None:
            await upstream.released.wait()
            await flood.endless(call)

        upstream.script = late_and_endless
        with called(f"GET {PATH}; the caller leaves before the upstream has answered"):
            caller = Download(app)
            await asked(app, upstream, caller)
            await caller.leave()
            upstream.released.set()
            await expect_released(app, upstream, look=WHO_CLOSES)


async def leaves_while_the_rest_is_held(exam: Exam) -> None:
    async with exam.serving() as (app, upstream):
        flood = Flood()

        async def held_then_endless(call: Call) -> None:
            await call.head(content_type=TAR)
            await call.send(flood.block * 4)
            await upstream.released.wait()
            await flood.pour(call, TOO_MUCH)
            await asyncio.Event().wait()

        upstream.script = held_then_endless
        with called(f"GET {PATH}; the caller leaves while the upstream holds the rest"):
            caller = Download(app)
            await caller.has(1, "the first bytes, before the last are there", COLLECTS)
            await caller.leave()
            upstream.released.set()
            await expect_released(app, upstream, look=WHO_CLOSES)


async def leaves_a_body_unread(exam: Exam) -> None:
    async with exam.serving() as (app, upstream):
        app.callers.receive_buffer = SMALL_BUFFER
        upstream.script = Flood().endless
        with called(f"GET {PATH}; the caller stops reading, and leaves in the middle of the body"):
            caller = Download(app, appetite=1)
            await caller.has(1, "the first bytes, before the last are there", COLLECTS)
            await app.turn()
            await caller.leave()
            await expect_released(app, upstream, look=WHO_CLOSES)


async def asked(app: App, upstream: Upstream, caller: Download) -> None:
    """Wait until the upstream has the call; the caller has no reply before."""
    await app.until(lambda: upstream.in_flight or caller.over, "an upstream call")
    expect(upstream.in_flight, saw=app.with_log(caller), expected="an upstream call")


@criterion("lets go after a 404", points=1)
async def not_found_released(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):

        async def held_not_found(call: Call) -> None:
            await call.head(404, first="not here")
            await upstream.released.wait()
            await call.send(os.urandom(4 * MIB))
            await call.finish()

        upstream.script = held_not_found
        with called(f"GET {PATH}, the upstream answers 404 with a long body; the caller leaves"):
            caller = Download(app)
            await asked(app, upstream, caller)
            await app.settle()
            await caller.leave()
            upstream.released.set()
            await expect_released(app, upstream, look=WHO_CLOSES)
    return "A response that is not passed on has to be closed, too. Forgotten ones fill the pool."


@criterion("a 404 is a 404, unreachable a 502", points=1)
async def statuses(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        upstream.script = lambda call: call.reply("not here", status=404)
        with called(f"GET {PATH}, the upstream answers 404"):
            look = "open the upstream response before you return yours: its status is known then"
            expect_reply(app, await app.get(PATH), status=404, look=look)
        for how in (REFUSED, LOST):
            with called(f"GET {PATH}, the upstream {how}"):
                async with failing_upstream(app, upstream, how):
                    look = "httpx.TransportError is the base class of ConnectError and its siblings"
                    expect_reply(app, await app.get(PATH), status=502, look=look)
            with called(f"GET {PATH}, after a 404 and a 502"):
                body = os.urandom(1000)
                upstream.script = sends(body)
                expect_bytes(app, await app.get(PATH), body)
    return "The status was known before the first byte was sent. Afterwards it is too late."


@criterion("an encoded body arrives as it was sent", points=1)
async def encoded(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        for length in (False, True):
            body = gzip.compress(os.urandom(2000).hex().encode() * 20)
            upstream.script = sends(body, CSV, length=length, content_encoding="gzip")
            with called(f"GET {PATH}, gzip, {told(length)}"):
                reply = await app.get(PATH)
                look = "aiter_bytes and iter_any decode; aiter_raw does not"
                expect_bytes(app, reply, body, look)
                look = "without it nobody can read the bytes: pass content-encoding on, too"
                expect_header(reply, "content-encoding", "gzip", look)
                if length:
                    expect_header(reply, "content-length", str(len(body)))
    return "The bytes are as they were sent, and the header says how to read them."


@criterion("a body that breaks off does not look complete", points=1)
async def breaks_off(exam: Exam) -> str:
    for sent, length in ((PART, None), (PART, 2 * PART), (0, None)):
        async with exam.serving() as (app, upstream):
            await break_off(app, upstream, sent, length)
    return "The connection was cut, not ended. After the first byte that is the only way to say it."


async def break_off(app: App, upstream: Upstream, sent: int, length: int | None) -> None:
    """The upstream sends so much, and drops the connection: the caller sees that."""

    async def stops_short(call: Call) -> None:
        await call.head(content_type=TAR, length=length)
        await call.send(os.urandom(sent))
        await upstream.released.wait()
        call.break_off()

    upstream.script = stops_short
    with called(f"GET {PATH}, {told(length)}; the upstream breaks off after {sent // KIB} KiB"):
        caller = Download(app)
        await asked(app, upstream, caller)
        await app.settle()
        upstream.released.set()
        await app.until(
            caller.task.done,
            "the caller is told",
            saw=lambda: f"{caller}, and the caller still waits",
        )
        expect(
            caller.status != 200 or not caller.complete,
            saw=f"{caller}, as if all was there",
            expected="a body that the caller can see is broken",
            look="an error that is swallowed, in the generator or by a middleware made with "
            "@app.middleware, ends the body as if all was there: let it out",
        )


@criterion("starts and stops cleanly", points=1)
async def stops_cleanly(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        body = os.urandom(1000)
        upstream.script = sends(body)
        with called(f"GET {PATH}"):
            expect_bytes(app, await app.get(PATH), body)
            await app.settle()
        await expect_nothing_left(app)
    return "The body was read to its end, so its connection was kept, and the lifespan closed it."


blocks_nothing = nothing_blocks()
