"""What is graded in `unblock-the-loop`: three endpoints that leave the loop to others."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from unblocked.grading.checks.exam import App, Call, Exam, Failed, Reply, Upstream, criterion

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

PAUSES = 50
AT_ONCE = 4
CROWD = 60
"""Callers of /legacy: more than AnyIO has threads."""
FORGIVEN = 1
GATE = f"/{secrets.token_hex(8)}"
"""Where the given functions call, so that the check can hold them."""
PATIENCE = 4
"""Seconds: less than HTTPX's own five, more than a check waits for what does not come."""
STILL_THERE = b"HTTP/1.1 102 Processing\r\n\r\n"
KINDS = ("legacy", "crunch", "pause")


class Scene:
    """An answer, and the two upstreams behind its three endpoints."""

    def __init__(self, app: App, hold: tuple[str, ...]) -> None:
        self.app = app
        self.hold = hold
        self.released = asyncio.Event()
        self.peaks = dict.fromkeys(KINDS, 0)
        self.gate: Upstream
        self.pauses: Upstream

    async def serve_gate(self, call: Call) -> None:
        """Answer a given function: its value is the call's secret."""
        kind, _ = asked(call)
        self.peaks[kind] = max(self.peaks[kind], self.in_flight(kind))
        if kind in self.hold:
            await self.released.wait()
        await call.reply(str(value(call)))

    async def serve_pause(self, call: Call) -> None:
        """Answer HTTPX, and keep it from losing patience while it is held."""
        while "pause" in self.hold and not self.released.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.released.wait(), PATIENCE)
                break
            if call.request.transport:
                call.request.transport.write(STILL_THERE)
        await call.reply(call.text)

    def in_flight(self, kind: str) -> int:
        if kind == "pause":
            return self.pauses.in_flight
        return sum(asked(call)[0] == kind for call in self.gate.live)

    def value_of(self, kind: str, key: str) -> Any:
        """What the given function returned for this key, None when it was not called."""
        found = [value(call) for call in self.gate.calls if asked(call) == (kind, key)]
        return found[-1] if found else None

    async def until_held(
        self, kind: str, count: int, callers: list[asyncio.Task[Reply]], look: str = ""
    ) -> None:
        await self.app.until(
            lambda: self.in_flight(kind) >= count,
            called=f"{len(callers)} callers at once, GET {path(kind)}",
            saw=lambda: f"{self.in_flight(kind)} of their calls in flight",
            expected=f"{count} in flight at the same time",
            look=look,
            calls=callers,
        )

    async def expect_threads_blocked(self, called: str) -> None:
        """Whatever runs a given function is blocked by it: its call, made without it, blocks none.

        Threads of other processes count as well.
        """
        threads = await self.app.threads()
        calls = self.in_flight("legacy") + self.in_flight("crunch")
        if threads <= calls:
            raise Failed(
                called=called,
                saw=f"{calls} such calls in flight; threads in all, with the loop's: {threads}",
                expected="a thread or a process for each, blocked in the given function",
                look="call legacy_lookup(key) and crunch(n) themselves, in a thread or a process",
            )


def asked(call: Call) -> tuple[str, str]:
    """Which of the given functions called, and for what; ("", …) when it was none."""
    gate, _, rest = call.path[1:].partition("/")
    kind, _, key = rest.partition("/")
    known = kind in ("legacy", "crunch") and f"/{gate}" == GATE
    return (kind if known else "legacy"), unquote(key)


def value(call: Call) -> Any:
    """The secret that a given function returns."""
    return int(call.text[:8], 16) if asked(call)[0] == "crunch" else call.text


def path(kind: str) -> str:
    return {"legacy": "/legacy/{key}", "crunch": "/crunch/{n}", "pause": "/pause"}[kind]


def fresh(kind: str) -> str:
    """A key that nobody asked for before."""
    return f"k{secrets.token_hex(4)}" if kind == "legacy" else str(secrets.randbelow(1 << 30))


@contextlib.asynccontextmanager
async def scene(exam: Exam, *hold: str) -> AsyncIterator[Scene]:
    """The answer's app, started; the calls of these kinds are held."""
    async with exam.run() as app:
        made = Scene(app, hold)
        made.gate = await app.upstream(made.serve_gate)
        made.pauses = await app.upstream(made.serve_pause)
        app.bind(URL=f"{made.pauses.url}/slow", _GATE=f"{made.gate.url}{GATE}")
        await app.start()
        yield made


def callers_of(scene: Scene, kind: str, count: int) -> list[asyncio.Task[Reply]]:
    if kind == "pause":
        return scene.app.call_many(count, "/pause")
    return [scene.app.call(f"/{kind}/{fresh(kind)}") for _ in range(count)]


async def expect_answer(scene: Scene, kind: str, meanwhile: str = "") -> None:
    """One caller of this kind is answered, and rightly."""
    key = "" if kind == "pause" else fresh(kind)
    before = len(scene.pauses.calls)
    called = f"GET {path(kind)}{meanwhile}"
    caller = scene.app.call(f"/{kind}/{key}" if key else "/pause")
    await scene.app.until(
        caller.done,
        called=called,
        saw=lambda: "no answer",
        expected="an answer: nothing of it is held",
        look="who holds what this endpoint needs: the loop itself, or the threads that it shares",
    )
    reply = (await scene.app.answers([caller], called=called))[0]
    if key:
        expect_value(scene, kind, key, reply, called)
        return
    expect_json(scene.app, reply, {"paused": True}, called)
    if len(scene.pauses.calls) == before:
        raise Failed(called=called, saw="no call of URL", expected="a call, and its answer awaited")


def expect_value(scene: Scene, kind: str, key: str, reply: Reply, called: str) -> None:
    """What the given function returned is answered."""
    found = scene.value_of(kind, key)
    if found is None:
        function = {"legacy": "legacy_lookup(key)", "crunch": "crunch(n)"}[kind]
        raise Failed(
            called=called,
            saw=f"{scene.app.with_log(reply)}, and no call of {function}",
            expected=f"{function} is called, and its value answered",
        )
    expect_json(scene.app, reply, {"value": found}, called)


def expect_json(app: App, reply: Reply, wanted: dict[str, Any], called: str) -> None:
    if reply.status != 200 or reply.json() != wanted:
        expected = f"200 with {str(wanted)[:120]}"
        raise Failed(called=called, saw=app.with_log(reply), expected=expected)


async def expect_others(scene: Scene, kind: str, callers: int) -> None:
    """While callers of this kind are held, unknown paths and the other kinds are answered."""
    calls = callers_of(scene, kind, callers)
    await scene.until_held(kind, 1, calls)
    await scene.app.settle()
    await scene.expect_threads_blocked(f"{callers} callers at once, GET {path(kind)}")
    meanwhile = f", while {callers} callers of {path(kind)} are held"
    for other in KINDS:
        if other != kind:
            await expect_answer(scene, other, meanwhile)
    scene.released.set()
    await scene.app.answers(calls, called=f"{callers} callers of {path(kind)}")


@criterion("fifty pauses cost no thread", points=2)
async def pauses_cost_no_thread(exam: Exam) -> str:
    async with scene(exam, "pause") as made:
        app = made.app
        await app.turn(1)
        before = await app.threads()
        callers = app.call_many(PAUSES, "/pause")
        look = "await httpx.AsyncClient: a task waits, and no thread"
        await made.until_held("pause", PAUSES, callers, look)
        there = await app.threads()
        # Had each pause a thread, there were more than fifty, whenever they were started.
        if there - before > FORGIVEN or there > PAUSES:
            raise Failed(
                called=f"{PAUSES} callers of /pause, held",
                saw=f"{there - before} more threads than before, {there} in all",
                expected="none for a pause",
                look=f"{look}. A plain `def` endpoint or dependency takes a thread, too",
            )
        made.released.set()
        called = f"{PAUSES} callers of /pause"
        for reply in await app.answers(callers, called=called):
            expect_json(app, reply, {"paused": True}, called)
    return "Fifty tasks and fifty sockets waited. What can be awaited needs no thread."


@criterion("others are answered while pauses are held", points=1)
async def during_pauses(exam: Exam) -> str:
    async with scene(exam, "pause") as made:
        await expect_others(made, "pause", 12)
    return "An await gives the loop to whoever needs it."


@criterion("others are answered while lookups are held", points=2)
async def during_lookups(exam: Exam) -> str:
    async with scene(exam, "legacy") as made:
        await expect_others(made, "legacy", CROWD)
    return (
        "Sixty callers waited for the slow library, and nobody else did. Had they waited in "
        "AnyIO's threads, they would have taken all forty, and every other `def` endpoint would "
        "have stood still."
    )


@criterion("others are answered while a calculation is held", points=1)
async def during_crunch(exam: Exam) -> str:
    async with scene(exam, "crunch") as made:
        await expect_others(made, "crunch", 1)
    return (
        "A thread frees the loop, but Python that calculates in a thread still shares one lock "
        "with it: much calculation belongs in a process."
    )


@criterion("at most four lookups at once", points=2)
async def four_lookups(exam: Exam) -> str:
    async with scene(exam, *KINDS) as made:
        others = [*callers_of(made, "crunch", 1), *callers_of(made, "pause", 1)]
        await made.until_held("crunch", 1, others[:1])
        await made.until_held("pause", 1, others[1:])
        callers = callers_of(made, "legacy", 20)
        await made.until_held("legacy", 1, callers)
        await made.app.settle()
        expect_four(made)
        called = "20 callers of /legacy/{key}"
        await made.expect_threads_blocked(f"{called}, while other requests are held, too")
        made.released.set()
        await made.app.answers([*others, *callers], called=called)
        expect_four(made)
    return "The slow library has a limit of its own, which says what it can bear."


def expect_four(made: Scene) -> None:
    if made.peaks["legacy"] > AT_ONCE:
        raise Failed(
            called="20 callers of /legacy/{key}, while other requests are held, too",
            saw=f"{made.peaks['legacy']} lookups at once",
            expected="at most four",
            look="a limit for these calls alone: anyio.CapacityLimiter(4), an asyncio.Semaphore(4) "
            "or a ThreadPoolExecutor(4) that does nothing else",
        )


@criterion("the same answers as before", points=1)
async def same_answers(exam: Exam) -> str:
    async with scene(exam) as made:
        for kind in KINDS * 2:
            await expect_answer(made, kind)
        callers = callers_of(made, "legacy", 12)
        await made.app.answers(callers, called="12 callers of /legacy/{key}")
        sent = {call.text for call in made.gate.calls}
        got = {value_in(caller.result()) for caller in callers}
        if len(got) != len(callers) or not got <= sent:
            raise Failed(
                called="12 callers of /legacy/{key}, at once, each with a key of its own",
                saw=f"{len(got & sent)} different values of legacy_lookup",
                expected="each gets the value of its own key",
            )
    return "Where the work is done changed; what the callers get did not."


def value_in(reply: Reply) -> str:
    found = reply.json()
    return str(found.get("value")) if isinstance(found, dict) else ""


@criterion("starts and stops cleanly", points=1)
async def stops_cleanly(exam: Exam) -> str:
    async with scene(exam) as made:
        for kind in KINDS:
            await expect_answer(made, kind)
        await made.app.stop()
        opened: Callable[[], int] = lambda: made.gate.open + made.pauses.open  # noqa: E731
        await made.app.until(
            lambda: opened() == 0,
            called="shutdown, with the process still alive",
            saw=lambda: f"{opened()} connections open at the upstream",
            expected="none",
            look="`async with httpx.AsyncClient() as client: yield` in the lifespan",
        )
        await made.app.end()
        await made.app.until(
            lambda: made.app.process.threads() <= 1,
            called="shutdown",
            saw=lambda: f"{made.app.process.threads() - 1} threads of the answer still run",
            expected="none",
            look="a ThreadPoolExecutor of your own is shut by the lifespan",
        )
    return "Client closed, threads gone: nothing outlives the app."
