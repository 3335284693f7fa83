"""What is graded in `pool-and-timeouts`: ten connections, and patience that ends.

Patience in seconds is what this exercise asks for, so the upstream is late here by seconds. Only
which answer comes is judged. A machine that is late itself could change that, so what it could
have spoilt is tried again before it counts.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

from unblocked.grading.checks.exam import TICK, App, Call, Exam, Failed, Reply, Upstream, criterion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Judge = Callable[[Exam], Awaitable[str]]
    Wait = Callable[[App, Upstream, float, int, str], Awaitable[Reply | None]]

PLACES = 10
MANY = 30
TRIES = 3
A_LITTLE = 1.2
"""Seconds for which long answers come slowly, besides those of which the clock knows."""
TOO_LONG = 3.7
"""Seconds that are too long for either, and too short for the five that HTTPX has by itself."""
PLACE, SILENCE = 1.0, 2.0
"""Seconds that the exercise asks for."""
THEN_SILENT = 1.5
"""Seconds allowed by themselves, and too many for a deadline around the wait for a place, too."""
NEARLY, BEYOND = 0.15, 0.25
"""Seconds before and after those at which the app is looked at."""
STEP = 0.5
"""Seconds by which the clock is put forward at a time."""
MUCH = 60.0
"""Seconds by which every timeout is over that the clock of the app's loop counts."""
IN_EARNEST = 0.9
"""Seconds more for an app that goes by another clock."""
DRIP_EVERY = 2 * TICK
"""Seconds: one tick more, and an answer that waits for longer counts as quiescent."""
LOG = "the app's log says"
CLOCKS = "each wait has a clock of its own: httpx.Timeout(2, pool=1)"


def patiently(judge: Judge) -> Judge:
    """Judge again, up to three times, before a failure counts: the machine may have been late."""

    @functools.wraps(judge)
    async def again(exam: Exam) -> str:
        failure: Failed | None = None
        for _ in range(TRIES):
            try:
                return await judge(exam)
            except Failed as error:
                failure = error
        assert failure
        raise failure

    return again


def expect_text(app: App, reply: Reply, upstream: Upstream, called: str, look: str = "") -> None:
    if reply.status == 200 and any(reply.text == call.text for call in upstream.calls):
        return
    log = app.last_words()
    raise Failed(
        called=called,
        saw=f"{reply}; {LOG} {log}" if log else str(reply),
        expected="200 and the upstream's own text",
        look=look,
    )


def expect_status(app: App, reply: Reply, status: int, called: str, look: str = "") -> None:
    if reply.status == status:
        return
    log = app.last_words()
    raise Failed(
        called=called,
        saw=f"{reply.status}; {LOG} {log}" if log else str(reply),
        expected=str(status),
        look=look,
    )


async def ask(app: App, called: str) -> Reply:
    return (await app.answers([app.call()], called=called))[0]


async def works(app: App, upstream: Upstream, after: str) -> None:
    called = f"GET / after {after}"
    expect_text(app, await ask(app, called), upstream, called)


async def in_flight(app: App, upstream: Upstream, callers: list[asyncio.Task[Reply]]) -> None:
    await app.until(
        lambda: upstream.in_flight >= PLACES,
        called=f"{len(callers)} callers at once, GET /, while the upstream holds its answers",
        saw=lambda: f"{upstream.in_flight} upstream calls in flight",
        expected=f"{PLACES} upstream calls in flight",
        look="limits=httpx.Limits(max_connections=10), and nothing narrower before it",
    )


async def a_while(upstream: Upstream, seconds: float) -> None:
    """Sleep, and keep whoever waits for an answer from giving up meanwhile."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (left := end - loop.time()) > 0:
        await asyncio.sleep(min(DRIP_EVERY, left))
        upstream.changed()


def drips(upstream: Upstream) -> Callable[[Call], Awaitable[None]]:
    """A script: send the text a little at a time until released, then the rest of it."""

    async def script(call: Call) -> None:
        await call.head()
        rest = iter(call.text)
        begun = asyncio.get_running_loop().time()
        while not upstream.released.is_set():
            await call.send(next(rest, ""))
            await asyncio.sleep(DRIP_EVERY)
            if asyncio.get_running_loop().time() < begun + TOO_LONG:
                upstream.changed()
        await call.send("".join(rest))
        await call.finish()

    return script


class Stopped:
    """The clock of the app's loop, stopped, so that nothing is due there until it is moved.

    A caller that comes then has waited for exactly so long as it was moved by.
    """

    def __init__(self, app: App) -> None:
        self.app, self.stopped = app, False

    async def stop(self) -> None:
        await self.app.inside("stop_clock")
        self.stopped = True

    async def caller(self) -> asyncio.Task[Reply]:
        """One more caller, who waits now for what there is to wait for."""
        (caller,) = await self.app.call_together(1)
        await self.app.turn()
        return caller

    async def move(self, seconds: float) -> None:
        """Move it by so many seconds, with all that is due then."""
        await self.app.inside("move_clock", seconds=seconds)
        await self.app.turn()

    async def start(self) -> None:
        """Let it go on, if it is stopped."""
        if self.stopped:
            await self.app.inside("start_clock")
        self.stopped = False

    async def until(self, condition: Callable[[], bool], **told: Any) -> None:
        """Wait, at first with the clock stopped, for what should need none; then with it going.

        Raises:
            Failed: it does not come.
        """
        with self.app.by_the_way():
            await self.app.until(condition, **told)
        if not condition():
            await self.start()  # for an app that goes by another, and looks at it now and then
            await self.app.until(condition, **told)


def expect_patience(caller: asyncio.Task[Reply], seconds: float, called: str) -> None:
    if caller.done():
        raise Failed(
            called=called,
            saw=f"{caller.result().status} before {seconds:.0f} s were over",
            expected=f"patience for {seconds:.0f} s",
            look=CLOCKS,
        )


async def by_the_loops_clock(
    app: App, upstream: Upstream, seconds: float, status: int, called: str
) -> Reply | None:
    """The answer to a caller who waits in vain, which is due after so many seconds.

    None when the app seems to go by another clock than its loop's, as threads do.

    Raises:
        Failed: it gave up with this status, and later.
    """
    clock = Stopped(app)
    await clock.stop()
    caller = await clock.caller()
    left = seconds + BEYOND
    while left > STEP:
        await clock.move(STEP)
        await a_while(upstream, DRIP_EVERY)  # to those whose answer comes slowly, it still comes
        left -= STEP
    await clock.move(left)
    in_time = caller.done()
    if not in_time:
        await clock.move(MUCH)
    await clock.start()
    if not caller.done():
        return None
    reply = await answer_to(app, caller, called)
    if not in_time and reply.status == status:
        raise Failed(
            called=called,
            saw=f"no answer yet after {seconds + BEYOND} s",
            expected=f"{status} when {seconds:.0f} s are over",
            look=CLOCKS,
        )
    return reply if in_time else None


async def in_earnest(
    app: App, upstream: Upstream, seconds: float, status: int, called: str
) -> Reply | None:
    """The same, really waited for, until the upstream is `released`."""
    caller = app.call()
    await a_while(upstream, seconds + IN_EARNEST)
    upstream.released.set()
    return await answer_to(app, caller, called)


async def answer_to(app: App, caller: asyncio.Task[Reply], called: str) -> Reply:
    return (await app.answers([caller], called=called))[0]


@criterion("passes the text on", points=1)
async def passes_on(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        for called in ("GET /", "GET /, again"):
            reply = await ask(app, called)
            expect_text(app, reply, upstream, called)
            if reply.text != upstream.calls[-1].text:
                raise Failed(called=called, saw="an old text", expected="the upstream's new text")
        if len(upstream.calls) != 2:
            raise Failed(
                called="GET /, twice",
                saw=f"{len(upstream.calls)} upstream calls",
                expected="one for each request",
            )
    return "The text came through, asked for afresh each time."


@criterion("thirty requests use one connection", points=1)
async def one_connection(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        for _ in range(MANY):
            expect_text(app, await ask(app, "GET /"), upstream, "GET /")
        if upstream.opened != 1:
            raise Failed(
                called=f"GET /, {MANY} times, one after the other",
                saw=f"{upstream.opened} upstream connections",
                expected="one, kept alive",
                look="one client for the app's life; and a body that is read to its end",
            )
    return "Each request found the connection that the last one gave back."


@criterion("ten connections, and never more", points=1)
@patiently
async def never_more(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        upstream.script = drips(upstream)
        callers = app.call_many(MANY)
        await in_flight(app, upstream, callers)
        await app.settle()
        if upstream.peak_open > PLACES:
            raise Failed(
                called=f"{MANY} callers at once, GET /",
                saw=f"{upstream.peak_open} upstream connections",
                expected=f"{PLACES}",
                look="limits=httpx.Limits(max_connections=10) on one client for all callers",
            )
    return "Ten in flight, twenty at the door. A limit is a decision: here is where it shows."


@criterion("too long without a connection is a 503", points=2)
@patiently
async def no_place(exam: Exam) -> str:
    if not await gives_up_a_place(exam, by_the_loops_clock):
        await gives_up_a_place(exam, in_earnest)
    return "503 says: I am full, not broken. Retry-After says when it may be worth another try."


async def gives_up_a_place(exam: Exam, wait: Wait) -> bool:
    """Whether a caller for whom there is no place had an answer, as it should be."""
    async with exam.serving() as (app, upstream):
        upstream.script = drips(upstream)
        callers = app.call_many(PLACES)
        await in_flight(app, upstream, callers)
        called = "one more caller, GET /, while ten long answers keep all connections busy"
        reply = await wait(app, upstream, PLACE, 503, called)
        if reply is None:
            return False
        look = "httpx.Timeout(…, pool=1) raises PoolTimeout"
        expect_status(app, reply, 503, called, look)
        if not reply.headers.get("retry-after", "").strip():
            raise Failed(
                called=called,
                saw="503 without Retry-After",
                expected="503 with Retry-After",
                look='HTTPException(503, headers={"Retry-After": "1"})',
            )
        await served_to_the_end(app, upstream, callers)
        return True


async def served_to_the_end(
    app: App, upstream: Upstream, callers: list[asyncio.Task[Reply]]
) -> None:
    """The long answers arrive whole, and then the next request works."""
    await a_while(upstream, A_LITTLE)
    upstream.released.set()
    called = "ten callers, GET /, whose upstream bodies come slowly, and are never silent"
    look = "two seconds are for the silence before the first byte, not for the whole call"
    for reply in await app.answers(callers, called=called):
        expect_text(app, reply, upstream, called, look)
    await works(app, upstream, "a 503")


@criterion("a short wait for a connection is no failure", points=1)
@patiently
async def short_wait(exam: Exam) -> str:
    called = "one more caller, GET /, who waits a moment for a connection, then for an answer"
    async with exam.serving() as (app, upstream):
        first, last = asyncio.Event(), asyncio.Event()

        async def held_then_silent(call: Call) -> None:
            await (first if call.number < PLACES else last).wait()
            await call.reply(call.text)

        upstream.script = held_then_silent
        clock = Stopped(app)
        await clock.stop()  # so that none of the ten is given up, however late the machine is
        callers = app.call_many(PLACES)
        await in_flight(app, upstream, callers)
        late = await clock.caller()
        await clock.move(PLACE - NEARLY)
        expect_patience(late, PLACE, called)
        first.set()
        await clock.until(
            lambda: len(upstream.calls) > PLACES or late.done(),
            called=called,
            saw=lambda: "no call for the late one",
            expected="its call, when there is a connection for it",
        )
        if clock.stopped:
            await clock.move(THEN_SILENT)
        last.set()
        callers.append(late)
        await clock.until(
            lambda: all(c.done() for c in callers), called=called, expected="all answered"
        )
        for reply in await app.answers(callers, called=called):
            look = "a second for a place (pool=1, or a deadline on the semaphore), and then, anew, "
            look += "two for the first byte: a deadline around both counts the one as the other"
            expect_text(app, reply, upstream, called, look)
    return "Waiting is what a pool is for. Only waiting too long is a failure."


@criterion("an upstream that fails is a 502", points=1)
async def fails(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        for status in (500, 404, 503) * 4:  # more than there are places
            upstream.script = lambda call, status=status: call.reply("no", status=status)
            called = f"GET /, the upstream answers {status}"
            look = "`response.raise_for_status()` raises HTTPStatusError"
            expect_status(app, await ask(app, called), 502, called, look)
        upstream.script = lambda call: call.reply(call.text)
        await works(app, upstream, "a 502")
    async with exam.run() as app:
        app.bind(URL=f"{app.unreachable()}/quote")
        await app.start()
        called = "GET /, the upstream cannot be reached"
        look = "httpx.ConnectError, or its base class TransportError"
        expect_status(app, await ask(app, called), 502, called, look)
    return "502: the fault is behind you. Your caller can tell it from your own 500."


@criterion("an upstream that stays silent is a 504", points=1)
@patiently
async def silent(exam: Exam) -> str:
    if not await gives_up_the_silent(exam, by_the_loops_clock):
        await gives_up_the_silent(exam, in_earnest)
    return "You gave up first, and said so. A default of five seconds is nobody's decision."


async def gives_up_the_silent(exam: Exam, wait: Wait) -> bool:
    """Whether there was an answer while the upstream was silent, and patience before, as asked."""
    async with exam.serving() as (app, upstream):
        upstream.script = upstream.hold
        called = "GET /, the upstream is silent"
        reply = await wait(app, upstream, SILENCE, 504, called)
        if reply is None:
            return False
        expect_status(app, reply, 504, called, "httpx.Timeout(…, read=2) raises ReadTimeout")
        await expect_served_late(app, upstream)
        return True


async def expect_served_late(app: App, upstream: Upstream) -> None:
    """An upstream that is silent for not quite too long is waited for."""
    upstream.begin(upstream.hold)
    silence = SILENCE - NEARLY
    called = f"GET /, after a 504; the upstream is silent for {silence} s and then answers"
    clock = Stopped(app)
    await clock.stop()
    caller = await clock.caller()
    await clock.move(silence)
    expect_patience(caller, SILENCE, called)
    upstream.released.set()
    await clock.until(caller.done, called=called, expected="an answer")
    look = "two seconds for the first byte; one second is for a free connection only"
    expect_text(app, await answer_to(app, caller, called), upstream, called, look)


@criterion("ten that ended in 504 leave ten places", points=1)
@patiently
async def places_come_back(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):

        async def silent_at_first(call: Call) -> None:
            if call.number < PLACES:
                await a_while(upstream, TOO_LONG)
                await asyncio.Event().wait()
            await upstream.arrived(2 * PLACES)
            await call.reply(call.text)

        upstream.script = silent_at_first
        callers = app.call_many(PLACES)
        await in_flight(app, upstream, callers)
        called = "ten callers at once, GET /, the upstream stays silent"
        for reply in await app.answers(callers, called=called):
            expect_status(app, reply, 504, called)
        called = "ten more callers at once, GET /, while it is still silent to the first ten"
        for reply in await app.answers(app.call_many(PLACES), called=called):
            look = "a call that is given up must give its connection back: `async with` closes it"
            expect_text(app, reply, upstream, called, look)
        if upstream.peak_open > PLACES:
            raise Failed(
                called=called,
                saw=f"{upstream.peak_open} upstream connections",
                expected=f"{PLACES}: those given up are closed before others are opened",
            )
    return "Given up means closed. A pool that loses a place with each failure dies of them."


@criterion("starts and stops cleanly", points=1)
async def stops_cleanly(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        expect_text(app, await ask(app, "GET /"), upstream, "GET /")
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
    return "The connection that was kept alive was closed by the lifespan."
