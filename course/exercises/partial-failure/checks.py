"""What is graded in `partial-failure`: some sources answer, some fail, some hang."""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from unblocked.grading.checks.deadlines import (
    DEADLINES,
    Hurried,
    Watch,
    kept_by_the_loop,
    near_a_deadline,
)
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
from unblocked.grading.checks.upstream import piece_by_piece

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    Script = Callable[[Call], Awaitable[None]]

PLENTY = 6000.0
"""A deadline (s) that no check lives to see."""
ALMOST = 0.9
"""Of the deadline: a source that is silent for so long has its text in the answer."""
DRIPS_A_SECOND = 5
TIMES_TOO_LATE = 5
TOO_LATE = 0.3
"""Of the deadline: for pieces of every fifth of a second, in all that kept them from the app."""
STEP, STEPS_BEYOND = 0.4, 3
"""Of the deadline, and how many such steps are beyond it."""
HUNG_CALLERS = 8
LOOK = "catch what a source raises where that source is asked, and return it as a result"
BOUNDS = "HTTPX's timeouts bound each piece: asyncio.timeout bounds the call"
GIVES_UP = (
    "a source has all of DEADLINE, and no other timeout may strike: HTTPX gives up by itself when "
    "five seconds bring nothing, but for timeout=None"
)
NAMES = ("prices", "news", "größe", "weather", "stock", "a b", "reviews")


class Scene:
    """The answer's app, started, and its sources."""

    def __init__(self, app: App, sources: dict[str, Upstream], deadline: float) -> None:
        self.app, self.sources, self.deadline = app, sources, deadline
        self.widest_gap = 0.0
        """Seconds between two pieces of a source that drips, at most."""

    def texts(self, *names: str) -> dict[str, str]:
        """What these sources answered last, those of them that were called."""
        sources = {name: self.sources[name] for name in names}
        return {name: source.calls[-1].text for name, source in sources.items() if source.calls}

    def asked(self, reply: Reply, called: str) -> None:
        """Every source was called.

        Raises:
            Hurried: one was not, or not in time.
        """
        if left := sorted(name for name, source in self.sources.items() if not source.calls):
            raise Hurried(
                called=called,
                saw=self.app.with_log(f"{reply}, and no call to {left}"),
                expected="a GET to the address of each source",
                look="what keeps your code from asking: an error of its own that is caught with "
                "those of the sources, say",
            )

    def in_flight(self, *names: str) -> int:
        return sum(self.sources[name].in_flight for name in names or self.sources)


@contextlib.asynccontextmanager
async def scene(
    exam: Exam, scripts: Mapping[str, Script], deadline: float = PLENTY, *, away: str = ""
) -> AsyncIterator[Scene]:
    """The app with a source for each script; `away` names one more, that cannot be reached."""
    async with exam.run() as app:
        sources = {name: await app.upstream(script) for name, script in scripts.items()}
        urls = {name: f"{up.url}/{number}" for number, (name, up) in enumerate(sources.items())}
        if away:
            urls[away] = f"{app.unreachable()}/away"
        app.bind(SOURCES=urls, DEADLINE=deadline)
        await app.start()
        yield Scene(app, sources, deadline)


async def fails(call: Call) -> None:
    await call.reply("broken", status=500)


async def missing(call: Call) -> None:
    await call.reply("not here", status=404)


async def silent(call: Call) -> None:
    """Never answer; ends when the app drops the connection."""
    await asyncio.Event().wait()


async def begins(call: Call) -> None:
    """Send the beginning of a body, and then nothing more."""
    await call.head()
    await call.send(call.text)
    await silent(call)


SOME_HANG: dict[str, Script] = {"silent": silent, "quick": at_once, "stuck": begins}


def drips_beyond(made: Scene) -> Script:
    """Send a little every fifth of a second, to the end of the body, long after the deadline."""

    async def script(call: Call) -> None:
        await call.head()
        for _ in range(int(DRIPS_A_SECOND * made.deadline * TIMES_TOO_LATE)):
            await call.send(call.text[:3])
            begun = time.monotonic()
            await asyncio.sleep(1 / DRIPS_A_SECOND)
            made.widest_gap = max(made.widest_gap, time.monotonic() - begun)
        await call.finish()

    return script


def expect(
    made: Scene,
    reply: Reply,
    names: Iterable[str],
    failed: Mapping[str, str],
    called: str,
    look: str = LOOK,
) -> None:
    """The summary has exactly the texts that these sources sent last, and these failures."""
    made.asked(reply, called)
    ok, body = made.texts(*names), summary_of(reply)
    if reply.status == 200 and (body.get("ok"), body.get("failed")) == (ok, failed):
        return
    raise Failed(
        called=called,
        saw=made.app.with_log(described(reply, ok, body)),
        expected=f"200, the texts of {sorted(ok)} under ok, and failed: {dict(failed)}",
        look=look,
    )


def summary_of(reply: Reply) -> dict[str, Any]:
    """The object that the reply holds, {} where it holds none."""
    return as_dict(reply.json())


def as_dict(found: object) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def described(reply: Reply, ok: Mapping[str, str], body: dict[str, Any]) -> str:
    texts, failed = body.get("ok"), body.get("failed")
    if reply.status != 200 or not isinstance(texts, dict):
        return str(reply)
    wrong = sorted(name for name in ok if name in texts and texts[name] != ok[name])
    told = f"200 with ok: {sorted(texts)}, failed: {failed}"
    return f"{told}; not the text that was sent: {wrong}" if wrong else told


def in_time(made: Scene, reply: Reply, quick: str, called: str) -> None:
    """The source that answers at once is not among the failed.

    Raises:
        Failed: there is no summary that says so.
        Hurried: it is, or there was nothing to summarise, or a source was not asked.
    """
    made.asked(reply, called)
    failed = summary_of(reply).get("failed") if reply.status == 200 else None
    if isinstance(failed, dict) and failed.get(quick) != "timeout":
        return
    kind = Hurried if isinstance(failed, dict) or reply.status == 502 else Failed
    raise kind(
        called=called,
        saw=made.app.with_log(reply),
        expected=f"200, and {quick}, which answers at once, under ok",
        look="`asyncio.wait_for` around all calls loses what has come; a deadline for each source, "
        "or `asyncio.wait(tasks, timeout=…)`, keeps it",
    )


async def ask(made: Scene, called: str, expected: str = "an answer") -> Reply:
    caller = made.app.call("/summary")
    return (await made.app.answers([caller], called=called, expected=expected))[0]


@criterion("all sources at once", points=3)
async def all_at_once(exam: Exam) -> str:
    async with scene(exam, dict.fromkeys(NAMES, at_once)) as made:
        for source in made.sources.values():
            source.script = held_in_pieces(source)
        called = f"GET /summary, with {len(NAMES)} sources that hold their answers"
        caller = made.app.call("/summary")
        await made.app.until(
            lambda: all(source.in_flight for source in made.sources.values()),
            called=called,
            saw=lambda: f"{made.in_flight()} of {len(NAMES)} calls in flight",
            expected="a call to each source, all in flight together",
            look="start a task for each source, then await them all",
            calls=[caller],
        )
        for source in reversed(made.sources.values()):
            await let_answer(made, source)
        called = f"GET /summary, with {len(NAMES)} sources that answer, the last one first"
        reply = (await made.app.answers([caller], called=called, expected="an answer, at once"))[0]
        expect(made, reply, NAMES, {}, called)
        expect_one_call_each(made, called)
    return "When the last one has answered, so do you: a deadline is the longest wait, not the wait"


def expect_one_call_each(made: Scene, called: str) -> None:
    """What was told was asked together: no source was asked again, by itself."""
    calls = {name: len(source.calls) for name, source in made.sources.items()}
    if again := {name: times for name, times in calls.items() if times > 1}:
        raise Failed(
            called=called,
            saw=f"more than one call for one caller: {again}",
            expected="one GET to each source",
            look="what was asked together is the answer: who asks again for what to tell, or "
            "throws the first answers away, waits for one source after the other",
        )


def held_in_pieces(source: Upstream) -> Script:
    async def script(call: Call) -> None:
        await source.released.wait()
        await piece_by_piece(call)

    return script


async def let_answer(made: Scene, source: Upstream) -> None:
    source.released.set()
    await made.app.let_go(
        lambda: source.in_flight == 0,
        called="GET /summary",
        expected="the source's answer is read",
    )
    await made.app.turn(2)


@criterion("a source that fails is an error, and the others go on", points=3)
async def failures(exam: Exam) -> str:
    scripts = {"slow": at_once, "broken": fails, "missing": missing, "slower": at_once}
    slow = ("slow", "slower")
    failed = {"broken": "error", "missing": "error", "away": "error"}
    async with scene(exam, scripts, away="away") as made:
        for name in slow:
            made.sources[name].script = made.sources[name].hold
        called = "GET /summary: one source answers 500, one 404, one is away, two are slow"
        caller = made.app.call("/summary")
        await made.app.until(
            lambda: all(made.sources[name].calls for name in scripts),
            called=called,
            saw=lambda: f"{sum(bool(s.calls) for s in made.sources.values())} sources were called",
            expected="every source called",
            calls=[caller],
        )
        await made.app.settle()
        if caller.done():
            reply = (await made.app.answers([caller], called=called))[0]
            raise Failed(
                called=called,
                saw=made.app.with_log(f"answer {reply}, while two sources had yet to answer"),
                expected="no answer before all sources have answered or failed",
                look="a TaskGroup cancels the others at the first error, gather raises it: catch "
                "the error of a source inside its own task",
            )
        for name in slow:
            made.sources[name].released.set()
        reply = (await made.app.answers([caller], called=called))[0]
        expect(made, reply, slow, failed, called)
    return "Each failure stayed with its source. Half an answer is often better than none."


@criterion("the deadline cuts what hangs", points=3)
async def deadline(exam: Exam) -> str:
    called = "GET /summary: one source answers, one is silent, one stops in the middle"
    late = busy = False

    async def judge(made: Scene) -> str:
        nonlocal late, busy
        watch = Watch(made.app)
        reply = await ask(made, called, "an answer when DEADLINE is over")
        late, busy = watch.late(made.deadline), watch.busy(made.deadline)
        in_time(made, reply, "quick", called)
        expect(made, reply, ["quick"], {"silent": "timeout", "stuck": "timeout"}, called)
        return "What had come was kept, what had not was named. The caller knows what is missing."

    said = await near_a_deadline(partial(scene, exam, SOME_HANG), judge)
    if late:
        await expect_in_time(exam, called, busy=busy)
    return said


async def expect_in_time(exam: Exam, called: str, *, busy: bool) -> None:
    """An answer that was late was made so by a busy machine.

    The clock of the app's loop tells; where it does not, later deadlines do.
    """
    async with scene(exam, SOME_HANG) as made:
        watch = Watch(made.app)
        caller = await all_asked(made, called, "a call to each source")
        kept = await kept_by_the_loop(made.app, made.deadline, watch, caller.done)
    if kept is None or (busy and not kept):  # by another clock, it may be
        await near_a_deadline(partial(scene, exam, SOME_HANG), partial(answered_in_time, called))
    elif not kept:
        raise too_late(Failed, called)


async def answered_in_time(called: str, made: Scene) -> str:
    watch = Watch(made.app)
    await ask(made, called, "an answer when DEADLINE is over")
    if watch.late(made.deadline):
        raise too_late(Hurried, called)
    return ""


def too_late(kind: type[Failed], called: str) -> Failed:
    return kind(
        called=called,
        saw="the right answer, long after DEADLINE was over",
        expected="an answer when DEADLINE is over",
        look="DEADLINE as it is, for each source from when all are called: who awaits one task "
        "after the other, each with a timeout, waits for one deadline after the other",
    )


@criterion("the deadline bounds the whole call", points=1)
async def whole_call(exam: Exam) -> str:
    called = "GET /summary: one source answers, one sends a little again and again"
    in_doubt = False

    async def judge(made: Scene) -> str:
        nonlocal in_doubt
        made.sources["dripping"].script = drips_beyond(made)
        waited = made.app.waited_for_cpu()
        reply = await ask(made, called, "an answer when DEADLINE is over")
        in_time(made, reply, "quick", called)
        expect(made, reply, ["quick"], {"dripping": "timeout"}, called, BOUNDS)
        late = made.widest_gap + made.app.waited_for_cpu() - waited
        in_doubt = late > TOO_LATE * made.deadline  # a timeout of a piece may have struck
        if in_doubt and made.deadline < max(DEADLINES):
            raise Hurried(called=called, saw="pieces that came too late", expected="no gap")
        return "A timeout bounds the wait for the next piece, a deadline bounds them all together."

    await late_but_in_time(exam)
    scripts = {"dripping": at_once, "quick": at_once}
    said = await near_a_deadline(partial(scene, exam, scripts), judge)
    if in_doubt:
        await expect_bound_by_the_loop(exam, called)
    return said


async def expect_bound_by_the_loop(exam: Exam, called: str) -> None:
    """A source that sends a little within every timeout is given up by the clock of the app's loop.

    That one goes forward between two pieces, so that it cannot matter how busy the machine is. It
    is the second choice, as a right answer may look at another clock.
    """
    async with scene(exam, {"dripping": at_once, "quick": at_once}) as made:
        due = asyncio.Semaphore(0)

        async def drip(call: Call) -> None:
            await call.head()
            while True:
                await due.acquire()
                await call.send(call.text[:3])

        made.sources["dripping"].script = drip
        caller = await all_asked(made, called, "a call to each source")
        for _ in range(STEPS_BEYOND):
            due.release()
            await made.app.settle()
            await made.app.inside("put_forward", seconds=STEP * made.deadline)
            await made.app.settle()
        expected = "an answer when DEADLINE is over"
        reply = (await made.app.answers([caller], called=called, expected=expected))[0]
        expect(made, reply, ["quick"], {"dripping": "timeout"}, called, BOUNDS)


async def all_asked(made: Scene, called: str, expected: str) -> asyncio.Task[Reply]:
    """A caller who is on its way until every source has been asked, at least."""
    caller = made.app.call("/summary")
    await made.app.until(
        lambda: all(source.calls for source in made.sources.values()),
        called=called,
        expected=expected,
        calls=[caller],
    )
    return caller


async def late_but_in_time(exam: Exam) -> None:
    """A source that is silent for long, but not until the deadline, has its text in the answer.

    Nobody waits for that: the clock of the app's loop is put forward.
    """
    async with scene(exam, {"slow": at_once, "quick": at_once}) as made:
        slow = made.sources["slow"]
        slow.script = slow.hold
        silence = ALMOST * PLENTY
        called = f"GET /summary: a source answers after {silence:.0f} s, DEADLINE = {PLENTY:.0f}"
        expected = "a call to each source, and no answer before both have answered"
        caller = await all_asked(made, called, expected)
        await made.app.settle()
        await made.app.inside("put_forward", seconds=silence)
        await made.app.settle()
        slow.released.set()
        reply = (await made.app.answers([caller], called=called))[0]
        given_up = "slow" in as_dict(summary_of(reply).get("failed"))
        expect(made, reply, ["slow", "quick"], {}, called, GIVES_UP if given_up else LOOK)


@criterion("a source that hangs is let go", points=2)
async def let_go(exam: Exam) -> str:
    called = "GET /summary, with a source that is silent and one that stops in the middle"

    async def judge(made: Scene) -> str:
        reply = await ask(made, called, "an answer when DEADLINE is over")
        in_time(made, reply, "quick", called)
        await made.app.let_go(
            lambda: made.in_flight() == 0,
            called=called,
            saw=lambda: f"answered, and {made.in_flight()} calls are still in flight",
            expected="the calls cancelled and their connections let go, while the sources hang",
            look="`asyncio.wait` cancels nothing: cancel what is pending; a thread cannot be",
        )
        return "You hung up first. A call that nobody awaits any more still costs both sides."

    return await near_a_deadline(partial(scene, exam, SOME_HANG), judge)


@criterion("a source that hangs delays no other caller", points=1)
async def others_served(exam: Exam) -> str:
    async with scene(exam, {"moody": at_once, "quick": at_once}) as made:
        moody, wakes_up = made.sources["moody"], asyncio.Event()

        async def hangs_at_first(call: Call) -> None:
            await (wakes_up if call.number < HUNG_CALLERS else moody.released).wait()
            await call.reply(call.text)

        moody.script = hangs_at_first
        callers = made.app.call_many(HUNG_CALLERS, "/summary")
        called = f"{HUNG_CALLERS} callers of GET /summary, while a source hangs"
        await more_calls(made, HUNG_CALLERS, callers, called)
        await made.app.settle()  # what the quick source said has been read
        called = "one more caller, for whom all sources answer, while the others wait"
        caller = made.app.call("/summary")
        await more_calls(made, HUNG_CALLERS + 1, [*callers, caller], called)
        await made.app.turn()  # so that the quick source's answer comes first, for sure
        moody.released.set()
        reply = (await made.app.answers([caller], called=called))[0]
        expect(made, reply, ["moody", "quick"], {}, called)
        wakes_up.set()
        called = f"{HUNG_CALLERS} callers of GET /summary, when the source has answered at last"
        expect_own(made, [reply, *await made.app.answers(callers, called=called)], called)
    return "Those who wait for a hung source wait alone, as long as there are connections enough."


async def more_calls(
    made: Scene, wanted: int, callers: list[asyncio.Task[Reply]], called: str
) -> None:
    """So many calls have come to the source that hangs, and no caller has an answer yet."""
    moody = made.sources["moody"]
    await made.app.until(
        lambda: moody.in_flight >= wanted and len(made.sources["quick"].calls) >= wanted,
        called=called,
        saw=lambda: f"{moody.in_flight} calls in flight to the source that hangs",
        expected="a call to each source for each caller, and no answer before all have answered",
        look="each caller asks for itself: it waits for nobody's lock, for no connection out of "
        "few, and for no call that blocks the loop",
        calls=callers,
    )


def expect_own(made: Scene, replies: list[Reply], called: str) -> None:
    """Each caller got what was asked for it: texts that were sent, and no two the same."""
    for reply in replies:
        if reply.status != 200:
            raise Failed(called=called, saw=made.app.with_log(reply), expected="200")
    texts = [as_dict(summary_of(reply).get("ok")) for reply in replies]
    for name, source in made.sources.items():
        told = {str(ok.get(name)) for ok in texts}
        if not told <= {call.text for call in source.calls} or len(told) != len(replies):
            raise Failed(
                called=called,
                saw=f"{len(told)} different texts of {name!r} in {len(replies)} summaries",
                expected="each caller's own: the text that the source sent for that caller",
                look="what outlives a request, such as a dict of the module, is one for all "
                "callers: keep the results in names of the endpoint",
            )


@criterion("502 when none is ok", points=1)
async def none_ok(exam: Exam) -> str:
    async with scene(exam, {"broken": fails, "missing": missing}, away="away") as made:
        called = "GET /summary, all sources fail"
        made.asked(await expect_502(made, called), called)
        for source in made.sources.values():
            source.script = at_once
        called = "GET /summary, after all sources have failed"
        reply = await ask(made, called)
        expect(made, reply, ["broken", "missing"], {"away": "error"}, called)
    async with scene(exam, {"one": silent, "two": silent}, deadline=DEADLINES[0]) as made:
        await expect_502(made, "GET /summary, all sources hang")
    return "A summary of nothing is no summary. Say so with the status: machines read that first."


async def expect_502(made: Scene, called: str) -> Reply:
    reply = await ask(made, called)
    if reply.status != 502:
        raise Failed(called=called, saw=made.app.with_log(reply), expected="502")
    return reply


@criterion("starts and stops cleanly", points=1)
async def stops_cleanly(exam: Exam) -> str:
    async with scene(exam, dict.fromkeys(NAMES[:3], at_once)) as made:
        reply = await ask(made, "GET /summary")
        if reply.status != 200:
            raise Failed(called="GET /summary", saw=made.app.with_log(reply), expected="200")
        made.asked(reply, "GET /summary")
        await made.app.stop()
        opened: Callable[[], int] = lambda: sum(s.open for s in made.sources.values())  # noqa: E731
        await made.app.until(
            lambda: opened() == 0,
            called="shutdown, with the process still alive",
            saw=lambda: f"{opened()} connections open at the sources",
            expected="none: the lifespan closes its client",
            look="`async with httpx.AsyncClient(…) as client: yield` in the lifespan",
        )
        await made.app.end()
        await made.app.until(
            lambda: made.app.process.threads() <= 1,
            called="shutdown",
            saw=lambda: f"{made.app.process.threads() - 1} threads of the answer still run",
            expected="none",
        )
    return "No connection, no thread: nothing was left behind."
