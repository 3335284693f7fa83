"""What is graded in `fix-the-article`: the endpoint of EXERCISES, seen from its two other sides."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from unblocked.grading.checks import exam as exams
from unblocked.grading.checks.exam import App, Call, Exam, Failed, Reply, Upstream
from unblocked.grading.checks.upstream import in_pieces, piece_by_piece
from unblocked.grading.sandbox import processes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Callers = list[asyncio.Task[Reply]]
    Judge = Callable[[Exam], Awaitable[str]]

FEW = 5
"""Turns of the loop that follow others: calls that wait for a place have timeouts of their own."""
CALLS = 5
POOL = 10
SHORT = 31
"""Characters of a short response."""
READ = 15
"""Seconds for reading."""
TIMEOUTS = {"connect": 5, "read": READ, "write": 5, "pool": 5}
A_SECOND = 1.5
"""So much earlier and later it is looked whether they are over: some clients round up."""
KEPT = 5
"""Connections kept alive."""
LIMITS = "httpx.Limits(max_connections=10, max_keepalive_connections=5)"
CLOCKS = "httpx.Timeout(5, read=15)"
SECRET = 16
"""Characters by which every response begins differently."""
WITHOUT_BODIES = "ten callers at once, GET /, bodies held back after 60 characters"
REST_HELD = "GET /, while the upstream keeps the rest of every body back"
HELD = "one caller, GET /, while the upstream holds its answers"
CROWD = "ten callers at once, GET /, while the upstream holds its answers"
SERVED_WITHOUT_BODIES = "ten callers were answered while their bodies were kept back"
CLOSED_WITHOUT_BODIES = "and every one of their streams was closed"
TURNED_MEANWHILE = "the loop turned while ten calls were held"
SHORT_TAKEN_WHOLE = "responses of less than 50 characters were answered with whole"
FEW_THREADS = "five calls in flight and their bodies added one thread at most"
CALLS_AS_ASKED = "five calls in flight had the timeouts that were asked for"
AS_PIECES = (
    "characters are not bytes, and a response arrives in pieces: collect text until 50 characters "
    "are there"
)
CLOSING = "`async with client.stream(…)` closes; a response of `send` needs `finally: aclose()`"
SIBLINGS = f"who ends the other four: a TaskGroup cancels them, gather lets them run; {CLOSING}"
AS_TEXT = 'a StreamingResponse has a content type only with `media_type="text/plain"`'
AS_JSON = "FastAPI turns what you return into JSON; a PlainTextResponse goes out as it is"
LONG = b"x" * (1 << 20)  # more than the system's own buffers hold: a body nobody reads is noticed
ONE_BY_ONE = "an `await` for each call in turn: `asyncio.gather` or a TaskGroup starts all five"
WHOLE = "`client.get` reads the whole body: `client.stream`, and `break` at 50 characters"
HOLDING = "who waits for a connection while holding others: open, read and close in one task"
MISTAKES = (
    ("5 of 10 upstream calls", "one caller after another: no lock may surround the calls"),
    ("1 of 5 upstream calls", ONE_BY_ONE),
    ("2 of 5 upstream calls", ONE_BY_ONE),
    ("in 'await' expression", "`send` is a context manager: enter it with `async with`"),
    ("has no attribute 'aiter_text'", "`async with send(client) as response` gives the response"),
    ("a body that breaks off", "a response that is closed before it is read: `StreamClosed`"),
    ("PoolTimeout", f"{HOLDING}; or a response that nobody closed"),
    ("is not defined", "three names of the article are used, and neither defined nor imported"),
    (f"{CROWD}: 0 of 10 answered", HOLDING),
    (f"{REST_HELD}: 0 of 1 answered", WHOLE),
    ("of 10 answered", f"{WHOLE}. Or {HOLDING}"),
    ("0 of 1 answered", "a response of an earlier request that nobody closed keeps a connection"),
)
"""What a failure says that shows a well-known mistake, and where to look for it."""


def criterion(name: str, points: int, *, fresh: bool = True) -> Callable[[Judge], exams.Criterion]:
    """A criterion whose failure names a well-known mistake, where it shows one."""

    def named(judge: Judge) -> exams.Criterion:
        async def judged(exam: Exam) -> str:
            try:
                return await judge(exam)
            except Failed as failure:
                seen = f"{failure.called}: {failure.saw}"
                failure.look = next((look for sign, look in MISTAKES if sign in seen), failure.look)
                raise Failed(**vars(failure)) from None

        return exams.criterion(name, points, fresh=fresh)(judged)

    return named


async def long_body(call: Call, upstream: Upstream) -> None:
    """Send the first characters, then the rest when released: an unread body stays in flight."""
    first, second = in_pieces(call.text)
    await call.head(first=first)
    await call.send(second)
    await upstream.released.wait()
    await call.finish(LONG)


async def until_held(
    app: App, upstream: Upstream, calls: int, called: str, callers: Callers, at_once: bool = True
) -> None:
    """Wait until so many upstream calls are in flight, or, if not `at_once`, have come in all."""
    await app.until(
        lambda: (upstream.in_flight if at_once else len(upstream.calls)) >= calls,
        called=called,
        saw=lambda: held(upstream, calls),
        expected=f"upstream calls in flight at the same time: {calls}",
        calls=callers,
    )


def held(upstream: Upstream, calls: int) -> str:
    return f"{upstream.in_flight} of {calls} upstream calls in flight"


def first_fifty(upstream: Upstream, since: int = 0) -> Counter[str]:
    return Counter(call.text[:50] for call in upstream.calls[since:] if as_asked_for(call))


def as_asked_for(call: Call) -> bool:
    return call.method == "GET" and call.request.raw_path == "/quote"


def expect_as_asked(upstream: Upstream, called: str) -> None:
    odd = [f"{call.method} {call.path}" for call in upstream.calls if not as_asked_for(call)]
    if odd:
        saw, look = f"an upstream call {odd[0]}", "method, path and query of the calls"
        raise Failed(called=called, saw=saw, expected="GET of URL, as it is", look=look)


def expect_lines_of_all(
    app: App, replies: Iterable[Reply], upstream: Upstream, called: str
) -> None:
    """Each reply is right, and no two callers were given the same response."""
    told: Counter[str] = Counter()
    for reply in replies:
        expect_lines(app, reply, upstream, called)
        told.update(reply.lines)
    twice = sum((told - first_fifty(upstream)).values())
    if twice:
        raise Failed(
            called=called,
            saw=f"{twice} lines that another caller was given, too",
            expected="five upstream calls for each request, and their texts for its caller",
            look="what is kept in the module or the app is shared by all requests",
        )


def expect_lines(
    app: App, reply: Reply, upstream: Upstream, called: str = "GET /", *, since: int = 0
) -> None:
    """The five lines are the beginnings of five responses that this upstream gave.

    Only calls from number `since` on count, so that what an earlier request was told does not.
    """
    sent = first_fifty(upstream, since)
    right = (
        reply.status == 200
        and len(reply.lines) == CALLS
        and Counter(reply.lines) <= sent
        and reply.headers.get("content-type", "").startswith("text/plain")
    )
    if right:
        return
    expect_200(app, reply, called)
    expect_as_asked(upstream, called)
    known = sum((Counter(reply.lines) & sent).values())
    kind = reply.headers.get("content-type", "no content type")
    raise Failed(
        called=called,
        saw=f"{reply.status}, {kind}; lines: {len(reply.lines)}, of them the first 50 characters "
        f"of a response: {known}. The answer begins {reply.text[:90]!r}",
        expected="200, text/plain, five lines: the first 50 characters of each response, all of "
        "it when it is shorter",
        look=AS_JSON if "json" in kind else AS_TEXT if "text" not in kind else AS_PIECES,
    )


def expect_200(app: App, reply: Reply, called: str) -> None:
    if reply.status == 200 and not reply.broken:
        return
    status = reply.status if app.last_words() else reply
    saw = f"{reply.status}, and a body that breaks off" if reply.broken else status
    raise Failed(called=called, saw=app.with_log(saw), expected="200")


@criterion("five calls at once", points=3, fresh=False)
async def five_at_once(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        bodies = asyncio.Event()
        upstream.script = lambda call: in_stages(call, upstream.released, bodies)
        before = await app.threads()
        caller = app.call()
        await until_held(app, upstream, CALLS, HELD, [caller])
        seen = await note_timeouts(app)
        with app.by_the_way():
            if before == 1:  # threads that earlier requests left would hide new ones
                await release_and_expect_few_threads(app, upstream, before)
                seen.add(FEW_THREADS)
        upstream.released.set()
        bodies.set()
        replies = await app.answers([caller], called=HELD)
        expect_made_of_all(app, replies[0], upstream)
        exam.seen |= seen
    return "Five calls were in flight together. The slowest one decides how long the caller waits."


async def note_timeouts(app: App) -> set[str]:
    """Whether the calls that are held have the timeouts that were asked for, if it can be seen."""
    found = await app.inside("timeouts_of_calls")
    return {CALLS_AS_ASKED} if found.count(TIMEOUTS) == len(found) >= CALLS else set()


def expect_made_of_all(app: App, reply: Reply, upstream: Upstream) -> None:
    """The five that were held together are all there were, and the answer has something of each.

    What exactly, other criteria are about.
    """
    expect_200(app, reply, HELD)
    expect_as_asked(upstream, HELD)
    used = sum(call.text[:SECRET] in reply.text for call in upstream.calls)
    if used != CALLS or len(upstream.calls) != CALLS:
        raise Failed(
            called=HELD,
            saw=f"{len(upstream.calls)} upstream calls, {used} of them used in the answer",
            expected="five, and a line of the answer from each",
            look="a call whose response is thrown away is none of the five",
        )


@criterion("no thread per call", points=1, fresh=False)
async def no_threads(exam: Exam) -> str:
    if FEW_THREADS not in exam.seen:
        await expect_no_threads_per_call(exam)
    return "Five calls in flight, no thread each. A synchronous iterator in a response costs one."


async def expect_no_threads_per_call(exam: Exam) -> None:
    async with exam.serving() as (app, upstream):
        bodies = asyncio.Event()
        upstream.script = lambda call: in_stages(call, upstream.released, bodies)
        await app.turn(1)
        before = await app.threads()
        if app.served_before and before > 1:
            raise Failed(
                called="nothing", saw=f"{before} threads, of earlier requests", expected="one"
            )
        caller = app.call()
        await until_held(app, upstream, CALLS, HELD, [caller])
        await release_and_expect_few_threads(app, upstream, before)
        bodies.set()
        await app.answers([caller], called="GET /")


async def in_stages(
    call: Call, released: asyncio.Event, bodies: asyncio.Event, ends: asyncio.Event | None = None
) -> None:
    """Hold the call, then send fewer than 50 characters, then more, then the rest."""
    await released.wait()
    first, second = in_pieces(call.text)
    await call.head(first=first)
    await bodies.wait()
    await call.send(second)
    if ends:
        await ends.wait()
    await call.finish(call.text[60:])


async def release_and_expect_few_threads(app: App, upstream: Upstream, before: int) -> None:
    """No thread per call, neither while five are held nor in the middle of their bodies."""
    await expect_few_threads(app, before, HELD)
    upstream.released.set()
    await app.turn(FEW)
    await expect_few_threads(app, before, f"{HELD}, now in the middle of their bodies")


async def expect_few_threads(app: App, before: int, called: str) -> None:
    there = await app.threads()
    more = there - before
    if more > 1 or there > CALLS:
        raise Failed(
            called=called,
            saw=f"{more} more threads than before, {there} in all",
            expected="at most one",
            look="ThreadPoolExecutor, asyncio.to_thread and plain `def` endpoints use threads, "
            "helper processes too",
        )


@criterion("the first 50 characters of each", points=2, fresh=False)
async def lines(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        upstream.script = piece_by_piece
        await expect_five_lines(app, upstream, "GET /")
        if SHORT_TAKEN_WHOLE not in exam.seen:
            upstream.text_size = SHORT
            await expect_five_lines(app, upstream, "GET /, again, short responses")
    return "Characters, not bytes; and a short response is taken whole."


async def expect_five_lines(app: App, upstream: Upstream, called: str) -> None:
    """One caller's lines are right, and took five calls."""
    before = len(upstream.calls)
    expect_lines(app, await app.get(), upstream, called, since=before)
    calls = len(upstream.calls) - before
    if calls != CALLS:
        raise Failed(called=called, saw=f"{calls} upstream calls", expected="five")


@criterion("streams", points=2, fresh=False)
async def streams(exam: Exam) -> str:
    if CLOSED_WITHOUT_BODIES not in exam.seen:
        await expect_streams(exam)
    return (
        "A stream closed early costs its connection: nobody can use it again. For 50 characters "
        "of a long body that is cheap, for short bodies reading to the end would be cheaper."
    )


async def expect_streams(exam: Exam) -> None:
    async with exam.serving() as (app, upstream):
        upstream.script = lambda call: long_body(call, upstream)
        expected = "an answer, made from what has arrived"
        replies = await app.answers([app.call()], called=REST_HELD, expected=expected)
        expect_lines(app, replies[0], upstream, REST_HELD)
        await expect_closed(app, upstream, REST_HELD)


async def expect_closed(app: App, upstream: Upstream, called: str, look: str = CLOSING) -> None:
    await app.let_go(
        lambda: upstream.in_flight == 0,
        called=called,
        saw=lambda: f"upstream responses that are still open: {upstream.in_flight}",
        expected="none: every stream is closed when nobody reads it any more",
        look=look,
    )


@criterion("lets go when one call fails", points=1, fresh=False)
async def lets_go_on_failure(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):

        async def one_fails(call: Call) -> None:
            fails = call.number == 1
            if fails:
                await upstream.arrived(CALLS)
            await call.head(500 if fails else 200, first="a few")
            await upstream.released.wait()
            await call.send(call.text)
            await call.finish(LONG)

        upstream.script = one_fails
        called = "GET /, one call answers 500 while the others keep their bodies back"
        caller = app.call()
        await until_held(app, upstream, CALLS, called, [caller], at_once=False)
        with app.by_the_way():  # who waits for the others, too, has not answered yet
            await app.answers([caller], called=called)
        if not caller.done():
            upstream.released.set()
        reply = (await app.answers([caller], called=called))[0]
        expect_bad_gateway(app, reply, called)
        await expect_closed(app, upstream, called, SIBLINGS)
    return "One call failed, and the others were closed while the upstream still held them."


@criterion("lets go when the caller leaves", points=1, fresh=False)
async def caller_leaves(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):

        async def all_but_first(call: Call) -> None:
            if call.number == 0:
                await call.head(first=call.text)
            else:
                await call.head()
                await upstream.released.wait()
                await call.send(call.text)
            await upstream.released.wait()
            await call.finish(LONG)

        upstream.script = all_but_first
        called = "one caller, GET /, who leaves while bodies are held back"
        caller = app.call()
        await until_held(app, upstream, CALLS, called, [caller], at_once=False)
        caller.cancel()
        await app.turn()
        upstream.released.set()
        await expect_closed(app, upstream, called)
    return (
        "FastAPI does not cancel an endpoint whose caller has left, but it does cancel a "
        "streaming response. Yours closed its streams either way."
    )


@criterion("an upstream that fails is a 502", points=1, fresh=False)
async def upstream_fails(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):

        async def one_fails(call: Call) -> None:
            await call.reply("no", status=503 if call.number == 2 else 200)

        async def lose(call: Call) -> None:
            call.break_off()

        upstream.script = one_fails
        await expect_502(app, "GET /, one of five upstream calls answers 503")
        upstream.script = lambda call: call.reply("no", status=400)
        await expect_502(app, "GET /, the upstream answers 400")
        upstream.script = lose
        await expect_502(app, "GET /, the upstream closes every connection without an answer")
        upstream.script = lambda call: call.reply(call.text)
        reply = await app.get(expected="an answer: the requests that failed hold nothing back")
        expect_lines(app, reply, upstream, "GET /, after a failure")
        async with upstream.away(app.process.blank_socket()):
            await expect_502(app, "GET /, the upstream cannot be reached")
    return "Bad gateway: it says that the fault is behind you."


async def expect_502(app: App, called: str) -> None:
    expect_bad_gateway(app, (await app.answers([app.call()], called=called))[0], called)


def expect_bad_gateway(app: App, reply: Reply, called: str) -> None:
    if reply.status != 502:
        raise Failed(
            called=called,
            saw=app.with_log(reply.status),
            expected="502",
            look="`raise_for_status()` raises from 400 on, and `httpx.HTTPError` is what every "
            "failed call raises: catch that, and raise HTTPException(502)",
        )


@criterion("the loop stays free", points=1, fresh=False)
async def loop_free(exam: Exam) -> str:
    if TURNED_MEANWHILE not in exam.seen:
        await expect_loop_free(exam)
    return "While the calls waited, the loop answered others."


async def expect_loop_free(exam: Exam) -> None:
    async with exam.serving() as (app, upstream):
        upstream.script = upstream.hold
        caller = app.call()
        await until_held(app, upstream, 1, "one caller, GET /", [caller])
        await app.turn()
        upstream.released.set()
        await app.answers([caller], called="GET /")


@criterion("ten callers share ten connections", points=3)
async def ten_callers(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        bodies, ends = asyncio.Event(), asyncio.Event()
        upstream.script = lambda call: in_stages(call, upstream.released, bodies, ends)
        callers = app.call_many(10)
        try:
            await until_held(app, upstream, POOL, CROWD, callers)
            await expect_ten_connections(app, upstream, CROWD)
            exam.seen.add(TURNED_MEANWHILE)
            upstream.released.set()
            await expect_ten_connections(app, upstream, f"{CROWD} after 20 bytes of each", FEW)
            bodies.set()
            await note_served_without_bodies(exam, app, upstream, callers)
        finally:
            bodies.set()
            ends.set()
        replies = await app.answers(callers, called=CROWD, expected="all ten answered")
        expect_lines_of_all(app, replies, upstream, CROWD)
        await expect_reuse(exam, app, upstream)
    return (
        "Fifty calls took turns on ten connections. A limit of ten is a decision: it is the most "
        "this endpoint will ever have in flight, whatever the load."
    )


async def expect_ten_connections(
    app: App, upstream: Upstream, called: str, turns: int = exams.LOOP_TURNS
) -> None:
    """No more than ten, once the app has done all that it can do by itself."""
    await app.turn(turns)
    if upstream.peak_open > POOL:
        raise Failed(
            called=called,
            saw=f"{upstream.peak_open} upstream connections",
            expected="ten, for all callers together",
            look=f"{LIMITS} on one shared client",
        )


async def note_served_without_bodies(
    exam: Exam, app: App, upstream: Upstream, callers: list[asyncio.Task[Reply]]
) -> None:
    """Whether all are answered while bodies are kept back is what other criteria are about."""
    with app.by_the_way():
        try:
            replies = await answers_without_bodies(app, callers)
        except Failed as failure:
            if failure.stuck and await app.quiescent():  # asked again, it would be the same
                exam.ruled_out[SERVED_WITHOUT_BODIES] = failure
            raise
        expect_lines_of_all(app, replies, upstream, "GET /")
        exam.seen.add(SERVED_WITHOUT_BODIES)
        await expect_closed(app, upstream, "GET /")
        exam.seen.add(CLOSED_WITHOUT_BODIES)


async def answers_without_bodies(app: App, callers: list[asyncio.Task[Reply]]) -> list[Reply]:
    expected = "all ten answered: no call waits for another's body"
    return await app.answers(callers, called=WITHOUT_BODIES, expected=expected)


async def expect_reuse(exam: Exam, app: App, upstream: Upstream) -> None:
    """Whoever shares a client finds connections of the request before."""
    upstream.script, upstream.text_size = piece_by_piece, SHORT  # read to its end: used again
    with app.by_the_way():
        await expect_five_lines(app, upstream, "GET /")
        exam.seen.add(SHORT_TAKEN_WHOLE)
    opened = upstream.opened
    await app.get()
    new = upstream.opened - opened
    if new >= CALLS:
        raise Failed(
            called="GET /, twice, one after the other, short responses",
            saw=f"{new} new upstream connections for the last one",
            expected="some that are kept alive, from the request before",
            look="one client for all callers, opened in the lifespan",
        )


@criterion("callers do not starve each other", points=2, fresh=False)
async def no_deadlock(exam: Exam) -> str:
    if failure := exam.ruled_out.get(SERVED_WITHOUT_BODIES):
        raise failure
    if SERVED_WITHOUT_BODIES not in exam.seen:
        await expect_no_deadlock(exam)
    return "Each task opened, read and closed its own stream: whoever waits for one holds none."


async def expect_no_deadlock(exam: Exam) -> None:
    async with exam.serving() as (app, upstream):
        upstream.script = lambda call: long_body(call, upstream)
        for reply in await answers_without_bodies(app, app.call_many(10)):
            expect_lines(app, reply, upstream, WITHOUT_BODIES)


@criterion("the lifespan can be entered", points=1, fresh=False)
async def lifespan(exam: Exam) -> str:
    async with exam.serving() as (app, _):
        seen = await app.inside("lifespan")
    if seen != "enterable":
        raise Failed(
            called="FastAPI(lifespan=…)",
            saw=seen,
            expected="a function made by @asynccontextmanager",
            look="FastAPI wraps a bare generator without a word, by a courtesy that may end",
        )
    return "The documented way: @asynccontextmanager around the lifespan."


@criterion("timeouts and idle connections are as asked", points=1, fresh=False)
async def as_asked(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        if not upstream.origin.opened:  # nor by a criterion before: it may have no client yet
            await app.get()
        clients = [c for c in await app.inside("clients") if not c["closed"]]
        expect_made_as_asked(clients)
        of_httpx = [c["kept_alive"] for c in clients if c["kind"] == "AsyncClient"]
        if any(kept != [KEPT] for kept in of_httpx):  # aiohttp, say, has no such limit
            upstream.begin(upstream.hold, text_size=SHORT)
            await expect_few_idle(app, upstream)
        by_a_loop = any(c["kind"] != "Client" for c in clients)  # those wait in threads
        if by_a_loop and CALLS_AS_ASKED not in exam.seen:
            await expect_given_up(app, upstream)
    return "Five seconds to connect, write or wait for a connection, fifteen between two reads."


def expect_made_as_asked(clients: list[dict[str, Any]]) -> None:
    """One of them is made so, as far as it can be seen: what they do is another question."""
    called = "the clients that were open after GET /"
    found = [c["timeout"] for c in clients]
    if TIMEOUTS not in found:
        raise Failed(called=called, saw=f"timeouts {found}", expected=str(TIMEOUTS), look=CLOCKS)
    kept = [c["kept_alive"] for c in clients if c["timeout"] == TIMEOUTS]
    if not any(limit in (KEPT, None) for limits in kept for limit in limits):
        raise Failed(
            called=called,
            saw=f"idle connections that they keep: {kept}",
            expected=str(KEPT),
            look=LIMITS,
        )


async def expect_few_idle(app: App, upstream: Upstream) -> None:
    """Of ten connections that could be used again, no more are kept than were asked for."""
    called = "two callers at once, GET /, short responses"
    callers = app.call_many(POOL // CALLS)
    await until_held(app, upstream, POOL, called, callers)
    upstream.released.set()
    await app.answers(callers, called=called)
    await app.let_go(
        lambda: upstream.open <= KEPT,
        called=called,
        saw=lambda: f"{upstream.open} upstream connections kept alive afterwards",
        expected="five at most",
        look=LIMITS,
    )


async def expect_given_up(app: App, upstream: Upstream) -> None:
    """A call that is held is given up after the seconds for reading, not before.

    Nobody waits for that: the clock of the app's loop is put forward.
    """

    async def all_but_first(call: Call) -> None:
        await (piece_by_piece if call.number else upstream.hold)(call)

    upstream.begin(all_but_first, text_size=SHORT)
    called = "one caller, GET /, while one of five upstream calls has no answer"
    now = asyncio.get_running_loop().time
    begun, ahead = now(), READ - A_SECOND
    caller = app.call()
    await until_held(app, upstream, 1, called, [caller])
    await app.settle()  # the other calls come, too
    await app.inside("put_forward", seconds=ahead)
    await app.turn(1)
    if caller.done() and now() - begun + ahead < READ:  # else the machine was too slow to tell
        raise Failed(
            called=called,
            saw=f"{caller.result().status} in less than {READ} s",
            expected=f"{READ} s of patience between two reads",
            look=CLOCKS,
        )
    await app.inside("put_forward", seconds=2 * A_SECOND)
    await app.until(
        caller.done,
        called=called,
        saw=lambda: f"no answer after {READ} s",
        expected=f"an answer: no call waits for more than {READ} s",
        look=f"{CLOCKS}; a `timeout=` of a single call takes the place of the client's",
    )


@criterion("starts and stops cleanly", points=1, fresh=False)
async def stops_cleanly(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        upstream.text_size = 40  # read whole: its connection stays, idle, to be closed
        expect_lines(app, await app.get(), upstream)
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
            lambda: processes.threads_with_children(app.process.pid) <= 1,
            called="shutdown",
            saw=lambda: "threads of the answer, or of a process that it started, still run",
            expected="none",
            look="what start-up begins, the lifespan ends after its `yield`",
        )
    return "After shutdown the upstream saw no connection of yours, and no thread was left."
