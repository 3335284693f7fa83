"""What is graded in `pool-and-timeouts`: ten connections, and waits that end.

The clocks of the answer's Python stand still, and are moved by hand: a caller who comes then has
waited for exactly as long as they were moved by, however busy the machine is. Which answer comes is
judged, and never how long it took.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from unblocked.grading.checks import (
    FAILURES,
    App,
    Call,
    Exam,
    Failed,
    Reply,
    Upstream,
    called,
    criterion,
    expect,
    expect_nothing_left,
    expect_released,
    expect_reply,
    expect_retry_after,
    failing_upstream,
    held,
    hold,
    nothing_blocks,
    piece_by_piece,
    released,
    silent,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    Callers = Sequence[asyncio.Task[Reply]]

CONNECTIONS = 10
MANY = 30
FOR_A_CONNECTION, FOR_THE_FIRST_BYTE = 1.0, 2.0
"""Seconds after which the exercise asks for a 503 and a 504."""
MARGIN = 0.2
"""Seconds before and after those at which the app is looked at."""
STEP, LONG_STEP = 0.4, 1.7
"""Seconds between two pieces of a slow body: a few short waits, and then long ones."""
BEYOND, PIECES = 3, 10
"""After three pieces `FOR_A_CONNECTION` is over; after all, more than ten seconds are."""
LIMIT = "limits=httpx.Limits(max_connections=10), on one client for all callers"
EACH_ITS_OWN = "each wait has a timeout of its own: httpx.Timeout(2, pool=1)"
ORDER = "PoolTimeout is a TimeoutException: catch it first"
BY_STATUS = {
    500: "httpx.Timeout(2, pool=1) raises PoolTimeout and ReadTimeout; catch each of them",
    503: "only PoolTimeout is a 503; the wait for the first byte ends in a ReadTimeout",
    502: "every timeout is an httpx.HTTPError, too: catch PoolTimeout and ReadTimeout before it",
    504: ORDER,
}
"""What to look at where another status came, by that status."""


def expect_text(app: App, reply: Reply, upstream: Upstream, look: str = "") -> None:
    """The reply is one of the texts that the upstream sent."""
    text = next((call.text for call in upstream.calls if call.text == reply.text), None)
    expect_reply(app, reply, text=text, expected="200 and the upstream's own text", look=look)


async def expect_works(app: App, upstream: Upstream, after: str) -> None:
    """The next request gets its text."""
    upstream.script = piece_by_piece
    with called(f"GET /, the next request after {after}"):
        look = "what a failure leaves behind: a permit not given back, a response not closed"
        expect_text(app, (await app.replies([app.call()], look=look))[0], upstream, look)


async def ten_in_flight(app: App, upstream: Upstream) -> Callers:
    """Stop the clocks, and let ten callers take all the connections there may be."""
    await app.freeze()
    callers = app.call_many(CONNECTIONS)
    await held(app, upstream, CONNECTIONS, callers, look=f"{LIMIT}, and nothing narrower before it")
    return callers


def expect_waiting(app: App, caller: asyncio.Task[Reply], seconds: float) -> None:
    """The caller has not been given up, all but a moment before so many seconds are over.

    Threads go by the real clock, and the machine may be late: so this is not certain.
    """
    if caller.done() and not caller.exception():
        raise Failed(
            saw=app.with_log(f"the reply {caller.result()}, before {seconds:.0f} s were over"),
            expected=f"patience for {seconds:.0f} s",
            look=EACH_ITS_OWN,
            certain=False,
        )


async def reply_in_time(app: App, upstream: Upstream, callers: Callers, expected: str) -> Reply:
    """The first reply, which is due now: nothing but the clock was to be waited for."""
    asked = upstream.peak > CONNECTIONS
    await app.until(
        lambda: any(caller.done() for caller in callers),
        expected,
        saw=lambda: f"no reply; upstream calls in flight: {upstream.in_flight}",
        look=LIMIT if asked else EACH_ITS_OWN,
    )
    return (await app.replies([next(caller for caller in callers if caller.done())]))[0]


@criterion("passes the text on", points=1)
async def passes_on(exam: Exam) -> str:
    async with exam.serving(piece_by_piece) as (app, upstream):
        for number, what in enumerate(("GET /", "GET /, again"), 1):
            with called(what):
                expect_text(app, reply := await app.get(), upstream)
                saw = f"{len(upstream.calls)} upstream calls after {number} requests"
                expect(len(upstream.calls) == number, saw=saw, expected="one for each request")
                fresh = reply.text == upstream.calls[-1].text
                expect(fresh, saw="an old text", expected="the upstream's new text")
    return "The text came through, asked for afresh each time."


@criterion("thirty requests use one connection", points=1)
async def one_connection(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        with called(f"GET /, {MANY} times, one after the other"):
            for _ in range(MANY):
                expect_text(app, await app.get(), upstream)
            expect(
                upstream.opened == 1,
                saw=f"{upstream.opened} upstream connections",
                expected="one, kept alive",
                look="one client for the app's life; and a body that is read to its end",
            )
    return "Each request found the connection that the last one gave back."


@criterion("ten connections, and never more", points=1)
async def never_more(exam: Exam) -> str:
    async with exam.serving(hold) as (app, upstream):
        await app.freeze()
        with called(f"{MANY} callers at once, GET /, while the upstream holds its replies"):
            callers = await app.call_together(MANY)
            look = f"{LIMIT}, and nothing narrower before it"
            await held(app, upstream, CONNECTIONS, look=look)
            await app.settle()
            expect_connections(upstream)
            await app.forward(FOR_A_CONNECTION + MARGIN)
            without = MANY - CONNECTIONS
            done = lambda: sum(caller.done() for caller in callers)  # noqa: E731
            await app.until(
                lambda: done() >= without,
                f"a reply to the {without} who have no connection, when 1 s is over",
                saw=lambda: f"{CONNECTIONS} connections, and {MANY - done()} callers who wait on",
                look="a limit makes callers wait for a connection: pool=1 of httpx.Timeout ends it",
            )
            await released(app, upstream, callers)
            expect_connections(upstream)
    return "Ten in flight, twenty at the door. A limit is a decision: here is where it shows."


def expect_connections(upstream: Upstream) -> None:
    """There never were more connections than there may be."""
    saw = f"{upstream.peak_open} upstream connections"
    expect(upstream.peak_open <= CONNECTIONS, saw=saw, expected="ten at most, ever", look=LIMIT)


async def drips(call: Call) -> None:
    """A script: send the text in pieces, one whenever the check gives a turn."""
    await call.head()
    size = len(call.text) // PIECES
    for number in range(PIECES):
        await call.upstream.turn()
        end = len(call.text) if number == PIECES - 1 else (number + 1) * size
        await call.send(call.text[number * size : end])
    await call.finish()


async def drip(app: App, upstream: Upstream, step: float) -> None:
    """A piece for each of ten slow bodies arrives, and then there is silence for a moment."""
    for _ in range(CONNECTIONS):
        upstream.give_turn()
    await app.settle()
    await app.forward(step)


@criterion("too long without a connection is a 503", points=1)
async def no_connection(exam: Exam) -> str:
    async with exam.serving(drips) as (app, upstream):
        with called("one more caller, GET /, while ten slow bodies keep all connections busy"):
            callers = await ten_in_flight(app, upstream)
            late = app.call()
            await app.settle()
            for _ in range(BEYOND):
                await drip(app, upstream, STEP)
            due = "503 when 1 s is over without a connection"
            reply = await reply_in_time(app, upstream, [late], due)
            look = BY_STATUS.get(reply.status, "")
            expect_reply(app, reply, status=503, expected="503 with Retry-After", look=look)
            expect_retry_after(reply)
        with called("ten callers, GET /, whose bodies come slowly, and are never silent"):
            for _ in range(PIECES - BEYOND):
                await drip(app, upstream, LONG_STEP)
            look = "two seconds are for the silence before the first byte, not for the whole call"
            for reply in await app.replies(callers, look=look):
                expect_text(app, reply, upstream, look)
        await expect_works(app, upstream, "a 503")
    return "503 says: I am full, not broken. Retry-After says when it may be worth another try."


@criterion("a short wait for a connection is no failure", points=1)
async def short_wait(exam: Exam) -> str:
    first, last = asyncio.Event(), asyncio.Event()

    async def one_is_answered(call: Call) -> None:
        """The first is answered, nine others have their beginning by then, and later ones wait."""
        if call.number >= CONNECTIONS:
            await last.wait()
            await call.reply(call.text)
            return
        await first.wait()
        await call.head(first=call.text[:10])
        await (call.upstream.released.wait() if call.number else asyncio.sleep(0))
        await call.finish(call.text[10:])

    async with exam.serving(one_is_answered) as (app, upstream):
        with called("one more caller, GET /, while ten calls are held; then one of ten is over"):
            await ten_in_flight(app, upstream)
            late = app.call()
            await app.settle()
            expect_connections(upstream)
            await app.forward(FOR_A_CONNECTION - MARGIN)
            expect_waiting(app, late, FOR_A_CONNECTION)
            first.set()
            await app.settle()
            await app.forward(MARGIN / 2)  # for those who look now and then
            await app.until(
                lambda: len(upstream.calls) > CONNECTIONS,
                "a call for the one who waits, as soon as there is a connection for it",
                look="a connection that is given back serves the caller who waits for one",
                callers=[late],
            )
        with called("one more caller, GET /, when all ten connections are busy again"):
            other = app.call()
            await app.settle()
            await app.forward(FOR_A_CONNECTION + MARGIN)
            due = "a reply when 1 s is over: a short wait is none that never ends"
            await reply_in_time(app, upstream, [other], due)
        with called("a caller, GET /, who waits 0.8 s for a connection, then 1.6 s for an answer"):
            await app.forward(1.5 * MARGIN)
            last.set()
            look = (
                "a second for a connection, and then, anew, two for the first byte: a deadline "
                "around both counts the one as the other"
            )
            (reply,) = await app.replies([late], look=look)
            expect_text(app, reply, upstream, look)
    return "Waiting is what a pool is for. Only waiting too long is a failure."


@criterion("an upstream that fails is a 502", points=1)
async def fails(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        await app.freeze()
        for how in (*FAILURES, "answers 404", "answers 503"):
            with called(f"GET /, the upstream {how}"):
                async with failing_upstream(app, upstream, how):
                    for _ in range(CONNECTIONS + 1):
                        (reply,) = await app.replies([app.call()], look=CLOSED)
                        expect_reply(app, reply, status=502, look=why_not_502(reply, how))
            await expect_works(app, upstream, "a 502")
    return "502: the fault is behind you. Your caller can tell it from your own 500."


CLOSED = "a response that is not passed on has to be closed, too: `async with`, or aclose()"


def why_not_502(reply: Reply, how: str) -> str:
    if how.startswith("answers"):
        return "a status of 400 or more raises only when you say `response.raise_for_status()`"
    if reply.status == 500:
        return "httpx.HTTPError is the base class of all that a call can raise"
    return "a connection that is refused or lost is an httpx.TransportError: 502"


@criterion("an upstream that stays silent is a 504", points=1)
async def stays_silent(exam: Exam) -> str:
    async with exam.serving(hold) as (app, upstream):
        await app.freeze()
        with called("GET /, the upstream is silent"):
            caller = await almost_too_long(app, upstream)
            await app.forward(2 * MARGIN)
            due = "504 when 2 s are over without the first byte"
            reply = await reply_in_time(app, upstream, [caller], due)
            look = BY_STATUS.get(reply.status, "")
            expect_reply(app, reply, status=504, look=look)
        with called("GET /, after a 504; the upstream answers after 1.8 s"):
            caller = await almost_too_long(app, upstream)
            look = "two seconds for the first byte; one second is for a free connection only"
            (reply,) = await released(app, upstream, [caller], look=look)
            expect_text(app, reply, upstream, look)
    return "You gave up first, and said so. A default of five seconds is nobody's decision."


async def almost_too_long(app: App, upstream: Upstream) -> asyncio.Task[Reply]:
    """A caller whose call is held, and has been silent for almost as long as it may be."""
    before = len(upstream.calls)
    caller = app.call()
    await app.until(lambda: len(upstream.calls) > before, "an upstream call", callers=[caller])
    await app.settle()
    await app.forward(FOR_THE_FIRST_BYTE - MARGIN)
    expect_waiting(app, caller, FOR_THE_FIRST_BYTE)
    return caller


@criterion("ten that ended in 504 leave ten places", points=1)
async def all_come_back(exam: Exam) -> str:
    async with exam.serving(silent) as (app, upstream):
        with called("ten callers at once, GET /, the upstream stays silent"):
            callers = await ten_in_flight(app, upstream)
            await app.settle()
            await app.forward(FOR_THE_FIRST_BYTE + MARGIN)
            for reply in await app.replies(callers, "504 when 2 s are over", EACH_ITS_OWN):
                expect_reply(app, reply, status=504, look=BY_STATUS.get(reply.status, ""))
        with called("ten that ended in 504, while the upstream is still silent"):
            look = "a call that is given up must close its connection: cancel it, do not leave it"
            await expect_released(app, upstream, look=look)
        with called("ten more callers at once, GET /, after ten that ended in 504"):
            upstream.script = hold
            look = "whatever a call takes, it gives back in `finally`, after a failure, too"
            callers = app.call_many(CONNECTIONS)
            await held(app, upstream, CONNECTIONS, callers, look=look)
            for reply in await released(app, upstream, callers):
                expect_text(app, reply, upstream)
            expect_connections(upstream)
    return "Given up means closed. A pool that loses a connection with each failure dies of them."


@criterion("starts and stops cleanly", points=1)
async def stops_cleanly(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        expect_text(app, await app.get(), upstream)
        await app.settle()
        await expect_nothing_left(app)
    return "The connection that was kept alive was closed by the lifespan."


blocks_nothing = nothing_blocks()
