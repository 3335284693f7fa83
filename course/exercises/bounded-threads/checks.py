"""What is graded in `bounded-threads`: five blocking calls a caller, eight threads for all."""

from __future__ import annotations

import secrets
from collections import Counter
from typing import TYPE_CHECKING

from unblocked.grading.checks import (
    FAILURES,
    App,
    Call,
    Exam,
    Failed,
    Reply,
    Upstream,
    at_once,
    called,
    criterion,
    expect,
    expect_a_thread_each,
    expect_bounded,
    expect_few_threads,
    expect_loop_free,
    expect_nothing_left,
    expect_reply,
    failing_upstream,
    held,
    hold,
    nothing_blocks,
    released,
)

if TYPE_CHECKING:
    import asyncio

    Callers = list[asyncio.Task[Reply]]

CALLS = 5
CALLERS = 20
THREADS = 8
FORGIVEN = 1
MARK = secrets.token_hex(8)
"""What `fetch` says in its calls, and no copy of its code."""
LONE = "one caller, GET /, while the upstream holds its replies"
CROWD = f"{CALLERS} callers at once, GET /, while the upstream holds its replies"
TOGETHER = (
    "each call of fetch needs a thread to block: hand all five to the pool, then await them "
    "together"
)
ON_THE_LOOP = (
    "something waits on the event loop itself, such as `future.result()` or `pool.map(…)` in an "
    "`async def` endpoint. Await `loop.run_in_executor(pool, fetch, URL)` instead"
)
BY_FETCH = "call `fetch(URL)` itself, each time in a thread of the pool"
OTHER_THREADS = (
    "threads beside the pool's eight: a pool for each request, or a plain `def` endpoint or "
    "dependency, for which FastAPI takes a thread per caller"
)


def by_fetch(call: Call) -> bool:
    """Whether the call bears the mark of `fetch`; that it blocks a thread is seen, too."""
    return call.headers.get("user-agent") == f"fetch/{MARK}"


async def fetching(app: App, upstream: Upstream, calls: int, callers: Callers) -> None:
    """So many calls are in flight together; each was made by fetch, and blocks a thread."""
    expected = f"{calls} calls of fetch in flight at the same time, and no others"
    try:
        await held(app, upstream, calls, callers, expected=expected, look=TOGETHER)
    except Failed:  # a loop that is blocked is the cause of all else, and is named first
        await expect_loop_free(app, look=ON_THE_LOOP)
        raise
    await expect_loop_free(app, look=ON_THE_LOOP)
    await app.settle()
    fetched = sum(map(by_fetch, upstream.live))
    saw = f"{upstream.in_flight} calls in flight; made by fetch: {fetched}"
    expect(fetched == upstream.in_flight, saw=saw, expected=expected, look=BY_FETCH)
    await expect_a_thread_each(app, upstream, look=BY_FETCH)


def expect_texts(app: App, replies: list[Reply], upstream: Upstream) -> None:
    """Each reply is a JSON list of five texts that `fetch` returned, and no text is in two."""
    sent = Counter(call.text for call in upstream.calls if by_fetch(call))
    for reply in replies:
        found = reply.json()
        listed = isinstance(found, list) and all(isinstance(text, str) for text in found)
        right = listed and len(found) == CALLS and Counter(found) <= sent
        expected = "200 and a JSON list of five texts, each from a call of fetch for this caller"
        look = "return the list of results; FastAPI makes JSON of it"
        expect(right, saw=app.with_log(reply), expected=expected, look=look)
        sent -= Counter(found)


async def served(app: App, upstream: Upstream, callers: Callers) -> list[Reply]:
    """The upstream replies, and each caller has its 200, for which five calls were made."""
    replies = await released(app, upstream, callers, look=ON_THE_LOOP)
    for reply in replies:
        expect_reply(app, reply)
    calls, wanted = len(upstream.calls), CALLS * len(callers)
    saw = f"{calls} upstream calls for {len(callers)} caller{'s' * (len(callers) > 1)}"
    expect(calls == wanted, saw=saw, expected="five calls for each caller")
    return replies


@criterion("five calls at once", points=1)
async def five_at_once(exam: Exam) -> str:
    async with exam.serving(hold, _MARK=MARK) as (app, upstream):
        with called(LONE):
            caller = [app.call()]
            await fetching(app, upstream, CALLS, caller)
            expect_texts(app, await served(app, upstream, caller), upstream)
    return "A lone caller waits as long as the slowest call takes, not for the sum of all five."


@criterion("eight calls in flight, never more", points=2)
async def eight_in_flight(exam: Exam) -> str:
    look = (
        "one pool with max_workers=8 for the whole app. A pool per request is bounded by nothing; "
        "the default executor's size depends on the machine"
    )
    async with exam.serving(hold, _MARK=MARK) as (app, upstream):
        with called(CROWD):
            callers = await app.call_together(CALLERS)
            await fetching(app, upstream, THREADS, callers)
            await expect_bounded(app, upstream, THREADS, look=look)
            replies = await served(app, upstream, callers)
            await expect_bounded(app, upstream, THREADS, look=look)
            # Whether it is a list at all is judged with a lone caller, and once is enough.
            if all(isinstance(reply.json(), list) for reply in replies):
                expect_texts(app, replies, upstream)
    return (
        "A hundred calls took turns on eight threads. That bounds the threads, and it bounds what "
        "you can answer: eight calls per upstream delay, whatever the load."
    )


@criterion("eight more threads at most", points=2)
async def eight_threads(exam: Exam) -> str:
    async with exam.run() as app:
        before = await app.threads()  # so that those made at start-up count, too
        upstream = await app.upstream(hold)
        app.bind(URL=f"{upstream.url}/quote", _MARK=MARK)
        await app.start()
        with called(CROWD):
            callers = await app.call_together(CALLERS)
            await fetching(app, upstream, THREADS, callers)
            now, most = await app.threads(), THREADS + FORGIVEN
            expected = "eight at most"
            expect_few_threads(before, now, more=most, expected=expected, look=OTHER_THREADS)
            await served(app, upstream, callers)
    return "Threads no longer grow with the callers: those who wait are tasks, and tasks are cheap."


@criterion("the loop stays free", points=1)
async def loop_free(exam: Exam) -> str:
    async with exam.serving(hold, _MARK=MARK) as (app, upstream):
        with called(CROWD):
            callers = app.call_many(CALLERS)
            await held(app, upstream, 1, callers, look=BY_FETCH)
            await expect_loop_free(app, look=ON_THE_LOOP)
            await served(app, upstream, callers)
    return "While eight threads blocked, the event loop answered others."


@criterion("one pool for the app's life", points=1)
async def one_pool(exam: Exam) -> str:
    async with exam.serving(hold, _MARK=MARK) as (app, upstream):
        await app.turn(1)
        before = app.thread_ids()
        with called(LONE):
            first = await threads_of(app, upstream, CALLS, [app.call()]) - before
        with called(f"one caller, GET /; then {CROWD}"):
            crowd = await app.call_together(CALLERS)
            second = await threads_of(app, upstream, THREADS, crowd) - before
            expect(
                not first or first & second,
                saw="none of the threads that worked for the first caller works for the others",
                expected="the same pool for all requests",
                look="open the pool in the lifespan, not in the endpoint",
            )
            most, look = THREADS + FORGIVEN, OTHER_THREADS
            expect_few_threads(0, len(second), more=most, expected="eight at most", look=look)
        await app.stop()
        await app.start(load=False)
        with called(f"{CROWD}, after the app was stopped and started again"):
            crowd = await app.call_together(CALLERS)
            third = await threads_of(app, upstream, THREADS, crowd) - before
            look = "the lifespan shuts the pool that it opened"
            expect_few_threads(0, len(third), more=most, expected="eight at most", look=look)
    return (
        "Opened at start-up, shut at shutdown, opened anew at the next start: that is a lifespan."
    )


async def threads_of(app: App, upstream: Upstream, calls: int, callers: Callers) -> frozenset[str]:
    """The threads there are while these callers are held, who are then answered."""
    upstream.begin(hold)
    await fetching(app, upstream, calls, callers)
    seen = app.thread_ids()
    await served(app, upstream, callers)
    return seen


@criterion("a fetch that raises is a 502", points=1)
async def fetch_raises(exam: Exam) -> str:
    async with exam.serving(one_fails, _MARK=MARK) as (app, upstream):
        with called("GET /, one of the five calls raises: the upstream answers 503"):
            await expect_502(app)
        for how in FAILURES:  # 21 failures in all: more than there are threads
            async with failing_upstream(app, upstream, how):
                with called(f"GET /, all five calls raise: the upstream {how}"):
                    await expect_502(app)
                    await app.settle()  # four may still be on their way, to a failure
            upstream.begin(at_once)
            with called(f"GET /, after a request for which the upstream {how}"):
                await served(app, upstream, [app.call()])
    return "Bad gateway: it says that the fault is behind you. The pool survived, too."


async def one_fails(call: Call) -> None:
    await call.reply(call.text, status=503 if call.number == 2 else 200)


async def expect_502(app: App) -> None:
    look = (
        "an error in a thread comes out where its result is awaited: catch it there, of whatever "
        "class it is, and raise HTTPException(502)"
    )
    expect_reply(app, await app.get(), status=502, look=look)


@criterion("starts and stops cleanly", points=1)
async def stops_cleanly(exam: Exam) -> str:
    async with exam.serving(_MARK=MARK) as (app, upstream):
        with called(f"{CALLERS} callers at once, GET /"):
            await served(app, upstream, app.call_many(CALLERS))
        look = "`with ThreadPoolExecutor(…) as pool: yield` in the lifespan shuts the pool"
        await expect_nothing_left(app, look=look)
    return "After shutdown no thread was left: the pool was shut with the app."


blocks_nothing = nothing_blocks()
