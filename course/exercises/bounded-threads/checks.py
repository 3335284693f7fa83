"""What is graded in `bounded-threads`: five blocking calls a caller, eight threads for all."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from unblocked.grading.checks.exam import (
    App,
    Call,
    Exam,
    Failed,
    Reply,
    Upstream,
    at_once,
    criterion,
)
from unblocked.grading.sandbox import processes

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

CALLS = 5
CALLERS = 20
THREADS = 8
FORGIVEN = 1
CROWD = f"{CALLERS} callers at once, GET /, while the upstream holds its answers"
LONE = "one caller, GET /, while the upstream holds its answers"


BLOCKS = (
    "something waits on the event loop itself, such as `future.result()` or `pool.map(…)` in an "
    "`async def` endpoint. Await `loop.run_in_executor(pool, fetch, URL)` instead"
)


def by_fetch(call: Call) -> bool:
    """Whether the call says that it is one of `fetch`; that it blocks a thread is the proof."""
    return call.headers.get("user-agent") == "fetch"


def held(upstream: Upstream) -> int:
    """Calls of `fetch` that are in flight."""
    return sum(by_fetch(call) for call in upstream.live)


def what_is_held(upstream: Upstream) -> str:
    others = upstream.in_flight - held(upstream)
    note = f", and {others} calls that were not made by fetch" if others else ""
    return f"{held(upstream)} calls of fetch in flight{note}"


async def until_held(
    app: App, upstream: Upstream, count: int, callers: list[asyncio.Task[Reply]], called: str
) -> None:
    try:
        await app.until(
            lambda: held(upstream) >= count,
            called=called,
            saw=lambda: what_is_held(upstream),
            expected=f"{count} calls of fetch in flight at the same time",
            look="each call of fetch needs a thread to block: submit all five to the pool, then "
            "wait for them together",
            calls=callers,
        )
    except Failed as failure:
        if failure.stuck:
            await expect_loop_free(app, f"{called}: {what_is_held(upstream)}")
        raise


async def expect_loop_free(app: App, called: str) -> None:
    try:
        await app.turn()
    except Failed as failure:
        raise Failed(
            called=f"{called}; then {failure.called}",
            saw=failure.saw,
            expected=failure.expected,
            look=BLOCKS,
            stuck=failure.stuck,
            certain=failure.certain,
        ) from None


async def expect_a_thread_each(app: App, upstream: Upstream, called: str) -> None:
    """Whatever runs `fetch` is blocked by it: what it sends, sent without it, blocks nothing.

    On Linux each call must have a thread that reads from its very connection. Threads that sleep
    elsewhere are none, and there is no secret in `fetch` that would make up for one.
    """
    calls, threads = held(upstream), await app.threads()
    expected = "a thread for each call, blocked in fetch, and the loop's"
    look = "call `fetch(URL)` itself, each time in a thread of the pool"
    if threads <= calls:
        saw = f"{calls} calls in flight; threads in all, with the loop's: {threads}"
        raise Failed(called=called, saw=saw, expected=expected, look=look)
    if reading(app, upstream) is None:
        return

    def waiting() -> int:
        return len(reading(app, upstream) or ())

    await app.until(
        lambda: waiting() >= calls,
        called=called,
        saw=lambda: f"{calls} calls in flight; threads that wait for their answers: {waiting()}",
        expected=expected,
        look=look,
    )


def reading(app: App, upstream: Upstream) -> set[str] | None:
    """The connections of held calls that a thread of the answer is blocked on, by their inodes.

    None where the system does not tell which system call a thread is in (`/proc/…/syscall`).
    """
    if not processes.text(f"/proc/{app.process.pid}/syscall"):
        return None
    ports = ports_of_held(upstream)
    inodes = {inode for port, inode in connections(app, upstream) if port in ports}
    return inodes.intersection(blocked_on(app))


def ports_of_held(upstream: Upstream) -> set[int]:
    transports = [call.request.transport for call in upstream.live if by_fetch(call)]
    return {t.get_extra_info("peername")[1] for t in transports if t and not t.is_closing()}


def connections(app: App, upstream: Upstream) -> Iterator[tuple[int, str]]:
    """Port and inode of the sockets that the answer has to the upstream."""
    for line in processes.text(f"/proc/{app.process.pid}/net/tcp").splitlines()[1:]:
        fields = line.split()
        here, there = (int(end.rpartition(":")[2], 16) for end in fields[1:3])
        if there == upstream.port:
            yield here, fields[9]


def blocked_on(app: App) -> Iterator[str]:
    """Inodes of the sockets that are the first argument of the system calls of its threads."""
    for pid, threads in processes.threads_of_family(app.process.pid):
        for thread in threads:
            call = processes.text(f"/proc/{pid}/task/{thread}/syscall").split()
            if len(call) > 1 and call[0].isdigit():
                yield inode_of(pid, int(call[1], 16))


def inode_of(pid: int, descriptor: int) -> str:
    try:
        target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
    except (OSError, OverflowError):
        return ""
    return target.removeprefix("socket:[").removesuffix("]")


def expect_texts(app: App, reply: Reply, upstream: Upstream, called: str) -> None:
    """The answer is a JSON list of five texts that `fetch` was given."""
    sent = Counter(call.text for call in upstream.calls if by_fetch(call))
    found = reply.json()
    listed = isinstance(found, list) and all(isinstance(text, str) for text in found)
    if reply.status == 200 and listed and len(found) == CALLS and Counter(found) <= sent:
        return
    raise Failed(
        called=called,
        saw=app.with_log(reply),
        expected="200 and a JSON list of the five texts that fetch returned",
        look="return the list of results; FastAPI makes JSON of it",
    )


async def served(
    app: App, upstream: Upstream, callers: list[asyncio.Task[Reply]], called: str
) -> None:
    """Let the upstream answer, and look at what the callers get."""
    upstream.released.set()
    replies = await app.answers(callers, called=called)
    for reply in replies:
        expect_texts(app, reply, upstream, called)


@criterion("five calls at once", points=2)
async def five_at_once(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        upstream.script = upstream.hold
        caller = [app.call()]
        await until_held(app, upstream, CALLS, caller, LONE)
        await expect_a_thread_each(app, upstream, LONE)
        await served(app, upstream, caller, "GET /")
        if len(upstream.calls) != CALLS:
            raise Failed(
                called="GET /", saw=f"{len(upstream.calls)} upstream calls", expected="five"
            )
    return "A lone caller waits as long as the slowest call takes, not for the sum of all five."


@criterion("eight calls in flight, never more", points=2)
async def eight_in_flight(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        upstream.script = upstream.hold
        callers = await app.call_together(CALLERS)
        await until_held(app, upstream, THREADS, callers, CROWD)
        await app.settle()
        await expect_a_thread_each(app, upstream, CROWD)
        expect_bounded(upstream)
        await served(app, upstream, callers, CROWD)
        expect_bounded(upstream)
    return (
        "A hundred calls took turns on eight threads. That bounds the threads, and it bounds what "
        "you can answer: eight calls per upstream delay, whatever the load."
    )


def expect_bounded(upstream: Upstream) -> None:
    if upstream.peak > THREADS:
        raise Failed(
            called=CROWD,
            saw=f"{upstream.peak} upstream calls in flight",
            expected="eight: the others wait for a thread",
            look="one pool with max_workers=8 for the whole app. A pool per request is bounded by "
            "nothing; the default executor's size depends on the machine",
        )


@criterion("eight more threads at most", points=2)
async def eight_threads(exam: Exam) -> str:
    async with exam.run() as app:
        before = await app.threads()  # so that those made at start-up count, too
        upstream = await app.upstream()
        upstream.script = upstream.hold
        app.bind(URL=f"{upstream.url}/quote")
        await app.start()
        callers = await app.call_together(CALLERS)
        await until_held(app, upstream, THREADS, callers, CROWD)
        await app.settle()
        more = await app.threads() - before
        if more > THREADS + FORGIVEN:
            raise Failed(
                called=CROWD,
                saw=f"{more} more threads than before your code ran",
                expected="at most eight",
                look="who else takes a thread: a pool per request, a plain `def` endpoint or "
                "dependency, which FastAPI runs in a thread of its own, or a second pool",
            )
        await expect_a_thread_each(app, upstream, CROWD)
        await served(app, upstream, callers, CROWD)
    return "Threads no longer grow with the callers: those who wait are tasks, and tasks are cheap."


@criterion("the loop stays free", points=1)
async def loop_free(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        upstream.script = upstream.hold
        callers = app.call_many(CALLERS)
        await until_held(app, upstream, 1, callers, CROWD)
        await expect_loop_free(app, CROWD)
        await served(app, upstream, callers, CROWD)
    return "While eight threads blocked, the event loop answered others."


@criterion("one pool for the app's life", points=1)
async def one_pool(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        upstream.script = upstream.hold
        await app.turn(1)
        before = threads_of(app)
        first = await threads_held(app, upstream, [app.call()], CALLS, LONE) - before
        crowd = await app.call_together(CALLERS)
        second = await threads_held(app, upstream, crowd, THREADS, CROWD) - before
        if first and not first & second:
            raise Failed(
                called="one caller, then twenty more",
                saw="none of the threads that worked for the first caller works for the others",
                expected="the same pool for all requests",
                look="open the pool in the lifespan, not in the endpoint",
            )
        if len(second) > THREADS + FORGIVEN:
            raise Failed(
                called="one caller, then twenty more",
                saw=f"{len(second)} threads",
                expected="at most eight",
                look="threads beside the pool: a pool that is opened by a request and never shut, "
                "or a plain `def` endpoint, in which each caller waits in a thread of FastAPI's",
            )
        await app.stop()
        await app.start(load=False)
        called = "GET /, after the app was stopped and started again"
        await served(app, upstream, [app.call()], called)
    return (
        "Opened at start-up, shut at shutdown, opened anew at the next start: that is a lifespan."
    )


async def threads_held(
    app: App, upstream: Upstream, callers: list[asyncio.Task[Reply]], calls: int, called: str
) -> set[str]:
    """The threads there are while these callers are held, who are then answered."""
    upstream.released.clear()
    await until_held(app, upstream, calls, callers, called)
    await app.settle()  # all callers have come, and have the threads that they take
    await expect_a_thread_each(app, upstream, called)
    seen = threads_of(app)
    await served(app, upstream, callers, called)
    return seen


def threads_of(app: App) -> set[str]:
    """The ids of the process's threads; where the system keeps no list of them, none."""
    try:
        return set(os.listdir(f"/proc/{app.process.pid}/task"))
    except OSError:
        return set()


@criterion("a fetch that raises is a 502", points=1)
async def fetch_raises(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):

        async def one_fails(call: Call) -> None:
            await call.reply("no", status=503 if call.number == 2 else 200)

        upstream.script = one_fails
        await expect_502(app, "GET /, one of the five calls raises: the upstream answers 503")
        for status in (400, 404):  # eleven failures by now: more than there are threads
            upstream.script = partial(refuse, status=status)
            await expect_502(app, f"GET /, all five calls raise: the upstream answers {status}")
        upstream.script = lose
        await expect_502(app, "GET /, all five calls raise: their connections are lost")
        async with upstream.away(app.process.blank_socket()):
            await expect_502(app, "GET /, all five calls raise: their connections are refused")
        await app.settle()  # the other four may still be on their way, to a failure
        upstream.script = at_once
        called = "GET /, after requests that failed"
        await served(app, upstream, [app.call()], called)
    return "Bad gateway: it says that the fault is behind you. The pool survived, too."


async def refuse(call: Call, status: int) -> None:
    await call.reply("no", status=status)


async def lose(call: Call) -> None:
    """Close the connection without an answer."""
    call.break_off()


async def expect_502(app: App, called: str) -> None:
    reply = (await app.answers([app.call()], called=called))[0]
    if reply.status != 502:
        raise Failed(
            called=called,
            saw=app.with_log(reply.status),
            expected="502",
            look="an error in a thread comes out where its result is awaited: catch it there, of "
            "whatever class it is, and raise HTTPException(502)",
        )


@criterion("starts and stops cleanly", points=1)
async def stops_cleanly(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        await served(app, upstream, app.call_many(CALLERS), f"{CALLERS} callers at once, GET /")
        await app.stop()
        await app.until(
            lambda: upstream.open == 0,
            called="shutdown, with the process still alive",
            saw=lambda: f"{upstream.open} connections open at the upstream",
            expected="none",
        )
        await app.end()
        await app.until(
            lambda: app.process.threads() <= 1,
            called="shutdown",
            saw=lambda: f"{app.process.threads() - 1} threads of the answer still run",
            expected="none",
            look="`with ThreadPoolExecutor(…) as pool: yield` in the lifespan shuts the pool",
        )
        await app.until(
            lambda: len(processes.family(app.process.pid)) == 1,
            called="shutdown",
            saw=lambda: f"child processes that run: {len(processes.family(app.process.pid)) - 1}",
            expected="none",
            look="a lifespan that starts a process ends it after its `yield`, and waits for it",
        )
    return "After shutdown no thread was left: the pool was shut with the app."
