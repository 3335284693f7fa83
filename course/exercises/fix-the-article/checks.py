"""What is graded in `fix-the-article`: the endpoint of EXERCISES, seen from its two other sides."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from unblocked.grading.checks import (
    LOST,
    REFUSED,
    STATUS_400,
    STATUS_500,
    App,
    Call,
    Criterion,
    Exam,
    Facts,
    Failed,
    Reply,
    Scenario,
    Script,
    Upstream,
    called,
    criterion,
    expect,
    expect_few_threads,
    expect_nothing_left,
    expect_released,
    expect_reply,
    failing,
    failing_upstream,
    held,
    in_pieces,
    media_type,
    nothing_blocks,
    piece_by_piece,
    scenario,
    silent,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Callers = Sequence[asyncio.Task[Reply]]

CALLS, POOL = 5, 10
"""Calls for a caller, and connections for all callers."""
SHORT = 31
"""Characters of a short response."""
READ = 15
"""Seconds between two reads."""
TIMEOUTS = {"connect": 5, "read": READ, "write": 5, "pool": 5}
A_SECOND = 1.5
"""So much earlier and later it is looked whether they are over: some clients round up."""
LONG = b"x" * (1 << 20)
"""More than the system's buffers hold: a body that nobody reads is noticed."""
SECRET = 16
"""Characters by which every response begins differently."""

HELD = "one caller, GET /, while the upstream holds its calls"
CROWD = "ten callers at once, GET /, while the upstream holds its calls"
REST_HELD = "while the upstream keeps the rest of every body back"

AS_PIECES = "characters are not bytes, and come in pieces: collect text until 50 are there"
AS_TEXT = 'a StreamingResponse has a content type only with `media_type="text/plain"`'
AS_JSON = "FastAPI turns what you return into JSON; a PlainTextResponse goes out as it is"
CLOSING = "`async with client.stream(…)` closes; a response of `send` needs `finally: aclose()`"
SIBLINGS = f"who ends the other four: a TaskGroup cancels them, gather lets them run; {CLOSING}"
NO_CALL = "the endpoint calls URL five times for each request, and waits for what comes"
ONE_BY_ONE = "an `await` for each call in turn: `asyncio.gather` or a TaskGroup starts all five"
WHOLE = "`client.get` reads the whole body: `client.stream`, and `break` at 50 characters"
HOLDING = "who waits for a connection while holding others: open, read and close in one task"
KEPT_BUSY = "a response of an earlier request that nobody closed keeps its connection"
LIMITS = "httpx.Limits(max_connections=10) on one client that all callers share"
PATIENCE = "httpx.Timeout(5, read=15) on the client; what a single call is given replaces it"
THREADS = "executors, asyncio.to_thread and plain `def` endpoints use threads, helper processes too"
TOO_FEW = "a lock, a semaphore or a pool of threads lets only so many calls through"
BAD_GATEWAY = (
    "`raise_for_status()` raises from 400 on, and `httpx.HTTPError` is what every failed call "
    "raises: catch that, and raise HTTPException(502)"
)
MISTAKES = (
    ("in 'await' expression", "`send` is a context manager: enter it with `async with`"),
    ("has no attribute 'aiter_text'", "`async with send(client) as response` gives the response"),
    ("broken off", "a response that is closed before it is read: `StreamClosed` in the app's log"),
    ("StreamClosed", "a response that is closed before it is read: read it inside of its block"),
    ("PoolTimeout", f"{HOLDING}; or a response that nobody closed"),
    ("is not defined", "three names of the article are used, and neither defined nor imported"),
    ("GET of an unknown path", "the event loop stands still: what is it that it waits for?"),
    ("the reply 500", "the error that the app's log tells, and the line of your answer"),
    (f"{POOL // 2} upstream calls in flight", "one caller after another: no lock around the calls"),
)
"""What a failure shows of a well-known mistake, and where to look for it."""


def recognised(failure: Failed, look: str = "") -> Failed:
    """The failure, with a look at the well-known mistake that it shows, or at what is given."""
    seen = f"{failure.called}: {failure.saw}"
    known = next((look for sign, look in MISTAKES if sign in seen), look)
    return Failed(**vars(failure) | {"look": known or failure.look})


def recognising(made: Scenario) -> Scenario:
    """The scenario, whose failures name a well-known mistake where they show one."""

    async def play(exam: Exam, facts: Facts) -> None:
        try:
            await made.play(exam, facts)
        except Failed as failure:
            raise recognised(failure) from None
        finally:
            told = facts.told.items()
            facts.told |= {n: recognised(f) for n, f in told if isinstance(f, Failed)}

    return replace(made, play=play)


class Stages:
    """A script: calls are held, then their bodies come in three parts, each when it is set."""

    def __init__(self) -> None:
        self.heads, self.bodies, self.ends = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, call: Call) -> None:
        """Send fewer than 50 characters, then more, then the rest."""
        await self.heads.wait()
        first, second = in_pieces(call.text)
        await call.head(first=first)
        await self.bodies.wait()
        await call.send(second)
        await self.ends.wait()
        await call.finish(call.text[60:])

    def release(self) -> None:
        """Let everything go on."""
        for stage in (self.heads, self.bodies, self.ends):
            stage.set()


async def rest_held(call: Call) -> None:
    """A script: send the first 60 characters in two pieces, and then nothing more."""
    first, second = in_pieces(call.text)
    await call.head(first=first)
    await call.send(second)
    await silent(call)


@contextlib.contextmanager
def explained(upstream: Upstream, look: str) -> Iterator[None]:
    """Who called something else, or nothing, is told that; others are told where to look."""
    try:
        yield
    except Failed as failure:
        upstream.expect_no_other_call()
        raise recognised(failure, look if upstream.calls else NO_CALL) from None


async def until_held(
    app: App, upstream: Upstream, calls: int, callers: Callers, look: str = ""
) -> None:
    """So many calls are in flight together."""
    with explained(upstream, look):
        await held(app, upstream, calls, callers)


# --- what the reply must be ----------------------------------------------------------------------


def expect_lines(app: App, reply: Reply, upstream: Upstream, *, since: int = 0) -> None:
    """The five lines are the beginnings of five responses that this upstream gave.

    Only calls from number `since` on count, so that what an earlier request was told does not.
    """
    upstream.expect_no_other_call()
    sent = Counter(call.text[:50] for call in upstream.calls[since:])
    kind = reply.headers.get("content-type", "no content type")
    found = Counter(reply.lines)
    expect_reply(app, reply)
    right = found <= sent and len(reply.lines) == CALLS
    expect(
        right and media_type(reply.headers) == "text/plain",
        saw=f"200, {kind}; {len(reply.lines)} lines, {(found & sent).total()} of them the first 50 "
        f"characters of a response. The reply begins {reply.text[:90]!r}",
        expected="200, text/plain, five lines: the first 50 characters of each response, all of "
        "it when it is shorter",
        look=look_at(kind) if len(upstream.calls) > since else NO_CALL,
    )


def look_at(kind: str) -> str:
    return AS_JSON if "json" in kind else AS_PIECES if "text" in kind else AS_TEXT


def expect_lines_of_all(app: App, replies: Sequence[Reply], upstream: Upstream) -> None:
    """Each reply is right, and no two callers were given the same response."""
    told: Counter[str] = Counter()
    for reply in replies:
        expect_lines(app, reply, upstream)
        told.update(reply.lines)
    twice = (told - Counter(call.text[:50] for call in upstream.calls)).total()
    expect(
        not twice,
        saw=f"{twice} lines that another caller was given, too",
        expected="five upstream calls for each request, and their texts for its caller",
        look="what is kept in the module or the app is shared by all requests",
    )


async def expect_five_lines(app: App, upstream: Upstream) -> None:
    """One caller's lines are right, and took five calls."""
    before = len(upstream.calls)
    expect_lines(app, await app.get(), upstream, since=before)
    expect_calls(len(upstream.calls) - before)


def expect_calls(calls: int) -> None:
    look = "a call whose response is thrown away is none of the five"
    expect(calls == CALLS, saw=f"{calls} upstream calls", expected="five for a caller", look=look)


# --- one caller ----------------------------------------------------------------------------------


@recognising
@scenario(
    Criterion(
        "five calls at once",
        points=3,
        passed="Five calls were in flight together. The slowest one decides how long it takes.",
    ),
    Criterion(
        "no thread per call",
        points=1,
        passed="Five calls in flight, no thread each. A synchronous iterator costs one.",
    ),
    Criterion(
        "the loop stays free", points=1, passed="While the calls waited, the loop answered others."
    ),
    Criterion(
        "the first 50 characters of each",
        points=2,
        passed="Characters, not bytes; and a short response is taken whole.",
    ),
)
async def one_caller(exam: Exam, facts: Facts) -> None:
    async with exam.serving() as (app, upstream):
        upstream.script = stages = Stages()
        await app.turn(1)
        before = min(await app.threads(), CALLS - 1)  # threads that wait for work count, too
        with called(HELD):
            caller = app.call()
            with facts("five calls at once"):
                await until_held(app, upstream, CALLS, [caller], ONE_BY_ONE)
            with facts("the loop stays free"):
                await until_held(app, upstream, 1, [caller])
                await app.settle()
            with facts("no thread per call"):
                await until_held(app, upstream, CALLS, [caller], ONE_BY_ONE)
                await expect_one_thread(app, before)
                stages.heads.set()
                await app.settle()
                with called(f"{HELD}, now in the middle of their bodies"):
                    await expect_one_thread(app, before)
        stages.release()
        with facts("five calls at once"):
            (reply,) = await app.replies([caller])
            expect_made_of_all(app, reply, upstream)
        with facts("the first 50 characters of each"):
            (reply,) = await app.replies([caller])
            expect_lines(app, reply, upstream)
            upstream.script = piece_by_piece
            for size in (400, SHORT):
                upstream.text_size = size
                with called(f"GET /, again, responses of {size} characters"):
                    await expect_five_lines(app, upstream)


async def expect_one_thread(app: App, before: int) -> None:
    now = await app.threads()
    expect_few_threads(before, now, more=1, expected="one more at most", look=THREADS)


def expect_made_of_all(app: App, reply: Reply, upstream: Upstream) -> None:
    """The five that were held together are all there were, and the reply has something of each.

    What exactly, other criteria are about.
    """
    upstream.expect_no_other_call()
    expect_reply(app, reply)
    expect_calls(len(upstream.calls))
    used = sum(call.text[:SECRET] in reply.text for call in upstream.calls)
    saw, expected = f"{used} of 5 upstream responses in the reply", "a line of the reply from each"
    expect(used == CALLS, saw=saw, expected=expected)


# --- ten callers ---------------------------------------------------------------------------------


@recognising
@scenario(
    Criterion(
        "ten callers share ten connections",
        points=2,
        passed="Fifty calls took turns on ten connections. A limit of ten is a decision: it is the "
        "most this endpoint will ever have in flight, whatever the load.",
    ),
    Criterion(
        "callers do not starve each other",
        points=2,
        passed="Each task opened, read and closed its stream: who waits for one holds none.",
    ),
    Criterion(
        "streams",
        points=2,
        passed="A stream closed early costs its connection: nobody can use it again. For 50 "
        "characters of a long body that is cheap, for short bodies reading to the end would be "
        "cheaper.",
    ),
)
async def ten_callers(exam: Exam, facts: Facts) -> None:
    async with exam.serving() as (app, upstream):
        upstream.script = stages = Stages()
        callers = app.call_many(10)
        with called(CROWD), facts("ten callers share ten connections"):
            await until_held(app, upstream, POOL, callers, TOO_FEW)
            await expect_ten_connections(app, upstream)
            stages.heads.set()
            await expect_ten_connections(app, upstream)
        stages.heads.set()
        stages.bodies.set()
        starved = await why_starved(app, upstream, callers)
        if not starved:
            with facts("streams"):
                await expect_released(app, upstream, look=CLOSING)
        stages.release()
        with called(CROWD), facts("ten callers share ten connections"):
            replies = await app.replies(callers, "all ten answered", HOLDING)
            expect_lines_of_all(app, replies, upstream)
            await expect_reuse(app, upstream)
    if starved:
        with facts("streams"):
            await expect_streams(exam)
    with facts("callers do not starve each other"):
        if starved:
            look = HOLDING if facts.met("streams") else WHOLE
            raise recognised(starved, look if "answered" in starved.saw else "")


async def expect_ten_connections(app: App, upstream: Upstream) -> None:
    """No more than ten, once the app has done all that it can do by itself."""
    await app.settle()
    saw, expected = f"{upstream.peak_open} upstream connections", "ten, for all callers together"
    expect(upstream.peak_open <= POOL, saw=saw, expected=expected, look=LIMITS)


async def why_starved(app: App, upstream: Upstream, callers: Callers) -> Failed | None:
    """Why not all callers are answered while the rest of every body is kept back, or None."""
    try:
        with called(f"ten callers at once, GET /, {REST_HELD}"):
            expected = "all ten answered: no call waits for another's body"
            expect_lines_of_all(app, await app.replies(callers, expected), upstream)
    except Failed as failure:
        return failure
    return None


async def expect_reuse(app: App, upstream: Upstream) -> None:
    """Whoever shares a client finds connections of the request before, or the client at least.

    How many connections it keeps alive is not graded.
    """
    upstream.begin(piece_by_piece, text_size=SHORT)  # read to its end: used again
    await app.get()
    opened, upstream.script = upstream.opened, upstream.hold
    caller = app.call()
    await until_held(app, upstream, 1, [caller])
    meanwhile = await open_clients(app)
    upstream.released.set()
    await app.replies([caller])
    new, shared = upstream.opened - opened, meanwhile == await open_clients(app) > 0
    with called("GET /, twice, one after the other, short responses"):
        saw = f"{new} new upstream connections for the last one, and a client of its own"
        look = "a client that the lifespan opens; the endpoint takes it from there"
        expect(new < CALLS or shared, saw=saw, expected="one client for all callers", look=look)


async def open_clients(app: App) -> int:
    return sum(not client["closed"] for client in await app.inside("clients"))


async def expect_streams(exam: Exam) -> None:
    """A lone caller is answered while the bodies are held, and all are closed."""
    async with exam.serving(rest_held) as (app, upstream):
        with called(f"GET /, {REST_HELD}"):
            expected = "a reply, made from what has arrived"
            (reply,) = await app.replies([app.call()], expected, WHOLE)
            expect_lines(app, reply, upstream)
            await expect_released(app, upstream, look=CLOSING)


# --- what goes wrong -----------------------------------------------------------------------------


@recognising
@criterion("lets go when one call fails", points=1)
async def one_call_fails(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        for how in (STATUS_500, LOST):
            upstream.begin(all_but_one(how))
            with called(f"GET /, the upstream {how} once, and keeps the other bodies back"):
                await expect_siblings_released(app, upstream)
    return "One call failed, and the others were closed while the upstream still held them."


def all_but_one(how: str) -> Script:
    """One of five calls fails, and whoever tries it again; the others get a few characters, more
    when released, and no end."""

    async def one_fails(call: Call) -> None:
        fails = call.number == 1 or call.number >= CALLS
        if fails:
            await call.upstream.arrived(CALLS)
        if fails and how == LOST:
            call.break_off()
            return
        await call.head(500 if fails else 200, first="a few")
        await call.upstream.released.wait()
        await call.send(call.text)
        await (call.finish() if fails else silent(call))

    return one_fails


async def expect_siblings_released(app: App, upstream: Upstream) -> None:
    """When the 502 is out, nothing is in flight, although the upstream still holds all bodies."""
    caller = app.call()
    await until_came(app, upstream, caller)
    await app.settle()
    if not caller.done():  # who waits for the other four must close them all the same
        upstream.released.set()
    (reply,) = await app.replies([caller], look=WHOLE)
    expect_reply(app, reply, status=502, look=BAD_GATEWAY)
    await expect_released(app, upstream, look=SIBLINGS)


async def until_came(app: App, upstream: Upstream, caller: asyncio.Task[Reply]) -> None:
    """All five calls have come, whether some of them are over or not."""
    with explained(upstream, ONE_BY_ONE):
        await app.until(
            lambda: len(upstream.calls) >= CALLS,
            "five upstream calls, started together",
            saw=lambda: f"{len(upstream.calls)} of 5 upstream calls",
            callers=[caller],
        )


@recognising
@criterion("lets go when the caller leaves", points=1)
async def caller_leaves(exam: Exam) -> str:
    async with exam.serving(first_body_only) as (app, upstream):
        with called("one caller, GET /, who leaves while bodies are held back"):
            caller = app.call()
            await until_came(app, upstream, caller)
            await app.leave(caller)
            upstream.released.set()
            await expect_released(app, upstream, look=CLOSING)
    return (
        "FastAPI does not cancel an endpoint whose caller has left, but it does cancel a "
        "streaming response. Yours closed its streams either way."
    )


async def first_body_only(call: Call) -> None:
    """A script: all heads and the first call's text come at once, the other bodies on release."""
    await call.head(first="" if call.number else call.text)
    await call.upstream.released.wait()
    await call.send(call.text)
    await call.finish(LONG)


@recognising
@criterion("an upstream that fails is a 502", points=1)
async def upstream_fails(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        for how in (STATUS_500, LOST):
            upstream.begin(third_of_five(how))
            with called(f"GET /, the upstream {how} to one of five calls"):
                await expect_502(app)
        for how in (STATUS_400, LOST, REFUSED):
            async with failing_upstream(app, upstream, how):
                with called(f"GET /, the upstream {how}"):
                    await expect_502(app)
        upstream.begin(piece_by_piece)
        with called("GET /, after failures"):
            expect_lines(app, await app.get(), upstream)
    return "Bad gateway: it says that the fault is behind you."


def third_of_five(how: str) -> Script:
    """The third call fails, and so do all that try it again, as aiohttp does by itself."""
    fails = lambda call: call.number == 2 or call.number >= CALLS  # noqa: E731
    return lambda call: failing(call, how) if fails(call) else call.reply(call.text)


async def expect_502(app: App) -> None:
    (reply,) = await app.replies([app.call()], look=KEPT_BUSY)
    expect_reply(app, reply, status=502, look=BAD_GATEWAY)


# --- the client's life ---------------------------------------------------------------------------


@recognising
@scenario(
    Criterion(
        "the lifespan can be entered",
        points=1,
        passed="The documented way: @asynccontextmanager around the lifespan.",
    ),
    Criterion(
        "starts and stops cleanly",
        points=1,
        passed="After shutdown the upstream saw no connection of yours, and no thread was left.",
    ),
)
async def life(exam: Exam, facts: Facts) -> None:
    async with exam.serving(text_size=SHORT) as (app, upstream):
        seen = await app.inside("lifespan")
        with facts("starts and stops cleanly"):
            expect_lines(app, await app.get(), upstream)
            await expect_nothing_left(app)
    with called("FastAPI(lifespan=…)"), facts("the lifespan can be entered"):
        clean = facts.met(
            "starts and stops cleanly"
        )  # without one, by start-up and shutdown events
        look = "FastAPI wraps a bare generator without a word, by a courtesy that may end"
        expected = "a function made by @asynccontextmanager"
        right = seen == "enterable" or (seen == "none" and clean)
        expect(right, saw=seen, expected=expected, look=look)


@recognising
@criterion("timeouts are as asked", points=1)
async def as_asked(exam: Exam) -> str:
    async with exam.serving(silent) as (app, upstream):
        with called("one caller, GET /, while no upstream call has a reply"):
            caller = app.call()
            await until_held(app, upstream, 1, [caller])
            await app.settle()  # the other calls come, too
            found = await app.inside("timeouts_of_calls")  # none where they are not HTTPX's
            wrong = [timeout for timeout in found if timeout != TIMEOUTS]
            saw = f"a call with the timeouts {wrong[:1]}"
            expect(not wrong, saw=saw, expected=f"{TIMEOUTS}", look=PATIENCE)
            kinds = {client["kind"] for client in await app.inside("clients")}
            if kinds != {"Client"}:  # those wait in threads, by the system's clock
                await expect_given_up(app, caller)
    return "Five seconds to connect, write or wait for a connection, fifteen between two reads."


async def expect_given_up(app: App, caller: asyncio.Task[Reply]) -> None:
    """Calls that are held are given up after the seconds for reading, not before."""
    await app.freeze()
    await app.forward(READ - A_SECOND)
    early, expected = caller.done(), f"{READ} s of patience between two reads"
    expect(not early, saw=f"a reply in less than {READ} s", expected=expected, look=PATIENCE)
    await app.forward(2 * A_SECOND)
    await app.replies([caller], f"a reply: no call waits for more than {READ} s", PATIENCE)


blocks_nothing = nothing_blocks()
