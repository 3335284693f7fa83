"""What is graded in `unblock-the-loop`: three endpoints that leave the loop to others."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from unblocked.grading.checks import (
    App,
    Call,
    Exam,
    Reply,
    Upstream,
    called,
    criterion,
    expect,
    expect_a_thread_each,
    expect_few_threads,
    expect_nothing_left,
    expect_reply,
    nothing_blocks,
    now_called,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAUSES = 50
AT_ONCE = 4
PATIENT = 2.0
"""Seconds after which nobody gives up a call that is held."""
CROWD = 60
"""Callers of /legacy: more than AnyIO has threads."""
KINDS = ("legacy", "crunch", "pause")
PATHS = {"legacy": "/legacy/{key}", "crunch": "/crunch/{n}", "pause": "/pause"}
FUNCTIONS = {"legacy": "legacy_lookup(key)", "crunch": "crunch(n)", "pause": "the call of URL"}
AWAITED = "await httpx.AsyncClient: a task waits, and no thread"
THEMSELVES = "call legacy_lookup(key) and crunch(n) themselves, in a thread or a process"
LIMIT = (
    "a limit for these calls alone: anyio.CapacityLimiter(4), an asyncio.Semaphore(4) or a "
    "ThreadPoolExecutor(4) that does nothing else"
)


class Given:
    """An answer, and the upstreams behind what it is given: the two functions, and `URL`.

    Both functions call the first upstream, so that a check can hold them; what they return is a
    secret of that call. Their path is a secret, too: whoever makes such a call by other means
    blocks no thread, which is looked for.
    """

    def __init__(self, app: App, hold: tuple[str, ...]) -> None:
        self.app, self.hold = app, hold
        self.gate = f"/{secrets.token_hex(8)}"
        self.released = asyncio.Event()
        self.peak = 0
        """The most lookups at one time."""
        self.functions: Upstream
        self.pauses: Upstream

    def kind_of(self, call: Call) -> str:
        """Which of the given functions called, or ''."""
        gate, _, rest = call.path[1:].partition("/")
        kind = rest.partition("/")[0]
        known = f"/{gate}" == self.gate and kind in ("legacy", "crunch") and call.method == "GET"
        return kind if known else ""

    async def function(self, call: Call) -> None:
        kind = self.kind_of(call)
        self.peak = max(self.peak, self.in_flight("legacy"))
        if kind in self.hold:
            await self.released.wait()
        await call.reply(str(self.value(call)))

    async def pause(self, call: Call) -> None:
        if "pause" in self.hold:
            await self.released.wait()
        await call.reply(call.text)

    def value(self, call: Call) -> Any:
        """The secret that a given function returns."""
        return int(call.text[:8], 16) if self.kind_of(call) == "crunch" else call.text

    def in_flight(self, kind: str) -> int:
        if kind == "pause":
            return self.pauses.in_flight
        return sum(self.kind_of(call) == kind for call in self.functions.live)

    def calls_for(self, kind: str, key: str) -> list[Call]:
        """The calls of a given function for this key, or those of `URL`."""
        if kind == "pause":
            return self.pauses.calls
        wanted = f"{self.gate}/{kind}/{key}"
        return [call for call in self.functions.calls if unquote(call.path) == wanted]

    def begin(self, kind: str, count: int) -> list[asyncio.Task[Reply]]:
        return [self.app.call(address(kind, fresh(kind))) for _ in range(count)]

    async def until_held(self, kind: str, count: int, callers: list[asyncio.Task[Reply]]) -> None:
        await self.app.until(
            lambda: self.in_flight(kind) >= count,
            f"{count} of {FUNCTIONS[kind]} in flight at the same time",
            saw=lambda: f"{self.in_flight(kind)} of {FUNCTIONS[kind]} in flight",
            look=AWAITED if kind == "pause" else f"{FUNCTIONS[kind]} is called for each request",
            callers=callers,
        )


def address(kind: str, key: str) -> str:
    return "/pause" if kind == "pause" else f"/{kind}/{key}"


def fresh(kind: str) -> str:
    """A key that nobody asked for before."""
    return str(secrets.randbelow(1 << 30)) if kind == "crunch" else f"k{secrets.token_hex(4)}"


@contextlib.asynccontextmanager
async def given(exam: Exam, *hold: str) -> AsyncIterator[Given]:
    """The answer's app, started; calls of these kinds are held, and no timeout ends them."""
    async with exam.run() as app:
        made = Given(app, hold)
        known = lambda call: bool(made.kind_of(call))  # noqa: E731
        made.functions = await app.upstream(made.function, expects=known)
        made.pauses = await app.upstream(made.pause, expects="GET /slow")
        app.bind(URL=f"{made.pauses.url}/slow", _GATE=f"{made.functions.url}{made.gate}")
        await app.start()
        await app.freeze()
        yield made


async def expect_answer(made: Given, kind: str, key: str = "") -> Any:
    """One caller of this kind is answered, and rightly, by one call; the value that came."""
    key = key or fresh(kind)
    before = len(made.calls_for(kind, key))
    with called(f"GET {PATHS[kind]}{meanwhile(now_called())}"):
        caller = made.app.call(address(kind, key))
        look = "who holds what this endpoint needs: the loop itself, or threads that it shares"
        await made.app.until(caller.done, "a reply: nothing of it is held", look=look)
        reply = (await made.app.replies([caller]))[0]
        calls = made.calls_for(kind, key)[before:]
        expect(
            len(calls) == 1,
            saw=made.app.with_log(f"{reply}, and {len(calls)} calls of {FUNCTIONS[kind]}"),
            expected="one for each request, with the type that it declares, also for a key that "
            "was asked for before",
        )
        wanted = {"paused": True} if kind == "pause" else {"value": made.value(calls[0])}
        expect_reply(made.app, reply, json=wanted, expected=f"200 with {str(wanted)[:120]}")
    return wanted.get("value")


def meanwhile(what: str) -> str:
    return f", while {what.partition(': ')[2]}" if what.startswith("held: ") else ""


async def expect_others(made: Given, kind: str, callers: int) -> None:
    """While callers of this kind are held, unknown paths and the other kinds are answered."""
    with called(f"held: {callers} callers of GET {PATHS[kind]}"):
        calls = made.begin(kind, callers)
        await made.until_held(kind, 1, calls)
        await made.app.settle()
        if kind != "pause":
            await expect_a_thread_each(made.app, made.functions, look=THEMSELVES)
        for other in KINDS:
            if other != kind:
                await expect_answer(made, other)
        made.released.set()
        await made.app.replies(calls)


@criterion("fifty pauses cost no thread", points=2)
async def pauses_cost_no_thread(exam: Exam) -> str:
    async with given(exam, "pause") as made:
        await made.app.turn(1)
        # Had each pause a thread, there were more than fifty, whenever they were started.
        before = min(await made.app.threads(), PAUSES - 1)
        with called(f"{PAUSES} callers of /pause, held"):
            callers = made.begin("pause", PAUSES)
            await made.until_held("pause", PAUSES, callers)
            look = f"{AWAITED}. A plain `def` endpoint or dependency takes a thread, too"
            there = await made.app.threads()
            expect_few_threads(before, there, more=1, expected="none for a pause", look=look)
            await made.app.forward(PATIENT)
            saw, answered = "replies before the upstream's own", any(c.done() for c in callers)
            expect(not answered, saw=saw, expected="each waits for its call of URL", look=AWAITED)
            made.released.set()
            for reply in await made.app.replies(callers):
                expect_reply(made.app, reply, json={"paused": True})
    return "Fifty tasks and fifty sockets waited. What can be awaited needs no thread."


@criterion("others are answered while pauses are held", points=1)
async def during_pauses(exam: Exam) -> str:
    async with given(exam, "pause") as made:
        await expect_others(made, "pause", 12)
    return "An await gives the loop to whoever needs it."


@criterion("others are answered while lookups are held", points=2)
async def during_lookups(exam: Exam) -> str:
    async with given(exam, "legacy") as made:
        await expect_others(made, "legacy", CROWD)
    return (
        "Sixty callers waited for the slow library, and nobody else did. Had they waited in "
        "AnyIO's threads, they would have taken all forty, and every other `def` endpoint would "
        "have stood still."
    )


@criterion("others are answered while a calculation is held", points=1)
async def during_crunch(exam: Exam) -> str:
    async with given(exam, "crunch") as made:
        await expect_others(made, "crunch", 1)
    return (
        "A thread frees the loop, but Python that calculates in a thread still shares one lock "
        "with it: much calculation belongs in a process."
    )


@criterion("at most four lookups at once", points=1)
async def four_lookups(exam: Exam) -> str:
    async with given(exam, *KINDS) as made:
        with called("one caller of /crunch and one of /pause, both held"):
            others = [*made.begin("crunch", 1), *made.begin("pause", 1)]
            await made.until_held("crunch", 1, others[:1])
            await made.until_held("pause", 1, others[1:])
        with called("20 callers of /legacy/{key}, while other requests are held, too"):
            callers = made.begin("legacy", 20)
            await made.until_held("legacy", 1, callers)
            await made.app.settle()
            expect_four(made)
            await expect_a_thread_each(made.app, made.functions, look=THEMSELVES)
            made.released.set()
            await made.app.replies([*others, *callers])
            expect_four(made)
    return "The slow library has a limit of its own, which says what it supports."


def expect_four(made: Given) -> None:
    saw = f"{made.peak} lookups at once"
    expect(made.peak <= AT_ONCE, saw=saw, expected="at most four", look=LIMIT)


@criterion("the same answers as before", points=1)
async def same_answers(exam: Exam) -> str:
    async with given(exam) as made:
        keys = {kind: fresh(kind) for kind in KINDS}
        with called("each path, twice with the same key"):
            for kind in KINDS * 2:
                await expect_answer(made, kind, keys[kind])
        with called("12 callers of /legacy/{key}, at once, each with a key of its own"):
            callers = made.begin("legacy", 12)
            got = {value_in(reply) for reply in await made.app.replies(callers)}
            sent = {call.text for call in made.functions.calls}
            saw = f"{len(got & sent)} different values of legacy_lookup"
            right = len(got) == len(callers) and got <= sent
            expect(right, saw=saw, expected="each gets the value of its own key")
    async with given(exam, "crunch") as made:
        with called("two callers at once, GET /crunch/{n}, with the same n"):
            key = fresh("crunch")
            callers = [made.app.call(address("crunch", key)) for _ in range(2)]
            await made.until_held("crunch", 1, callers)  # the other may wait: no limit is asked for
            await made.app.settle()
            made.released.set()
            got = {value_in(reply) for reply in await made.app.replies(callers)}
            sent = {str(made.value(call)) for call in made.calls_for("crunch", key)}
            right = got == sent and len(got) == len(callers)
            expect(right, saw="one value for both", expected="each request its own call")
    return "Where the work is done changed; what the callers get did not."


def value_in(reply: Reply) -> str:
    found = reply.json()
    return str(found.get("value")) if isinstance(found, dict) else ""


@criterion("starts and stops cleanly", points=1)
async def stops_cleanly(exam: Exam) -> str:
    async with given(exam) as made:
        for kind in KINDS:
            await expect_answer(made, kind)
        look = "a client and a ThreadPoolExecutor of your own are closed by the lifespan"
        await expect_nothing_left(made.app, look=look)
    return "Client closed, threads gone: nothing outlives the app."


blocks_nothing = nothing_blocks()
