"""What is graded in `partial-failure`: some sources answer, some fail, some hang."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from unblocked.grading.checks import (
    BROKEN,
    GIVES_UP,
    Call,
    Criterion,
    Exam,
    Facts,
    Reply,
    Script,
    Sources,
    Upstream,
    asking,
    at_once,
    begins,
    called,
    criterion,
    expect,
    expect_nothing_left,
    expect_released,
    expect_reply,
    hold,
    nothing_blocks,
    piece_by_piece,
    scenario,
    silent,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STEP, STEPS = 0.4, 3
"""Of the deadline, between two pieces of a body that drips; so many steps are beyond it."""
HUNG_CALLERS = 8
NAMES = ("prices", "news", "größe", "weather", "stock", "a b", "reviews")
LOOK = "catch what a source raises where that source is asked, and return it as a result"
NO_END = "a reply ends with an http.response.body without more_body, or the server breaks it off"
BOUNDS = "HTTPX's timeouts bound each wait for a piece; `asyncio.timeout` bounds the whole call"


async def ask(made: Sources, expected: str = "a reply", look: str = "") -> Reply:
    return (await made.app.replies([made.app.call("/summary")], expected, look))[0]


async def all_asked(made: Sources, look: str = "") -> asyncio.Task[Reply]:
    """A caller who is on its way until every source has been asked, at least."""
    caller = made.app.call("/summary")
    await made.app.until(
        made.all_called,
        "a GET to the address of each source, and no reply before they have answered",
        saw=lambda: f"no call to {sorted(name for name in made if not made[name].calls)}",
        look=look or "what keeps your code from asking: an error that is caught with a source's",
        callers=[caller],
    )
    return caller


def as_dict(found: object) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def expect_summary(
    made: Sources,
    reply: Reply,
    names: Iterable[str],
    failed: Mapping[str, str],
    look: str = LOOK,
) -> None:
    """The summary has exactly the texts that these sources sent last, and these failures."""
    ok = {name: made[name].calls[-1].text for name in names if made[name].calls}
    body = as_dict(reply.json())
    right = reply.status == 200 and (body.get("ok"), body.get("failed")) == (ok, dict(failed))
    expect(
        right and not reply.broken,
        saw=made.app.with_log(described(reply, ok, body)),
        expected=f"200, the texts of {sorted(names)} under ok, and failed: {dict(failed)}",
        look=NO_END if right else look,
    )


def described(reply: Reply, ok: Mapping[str, str], body: dict[str, Any]) -> str:
    texts = body.get("ok")
    if reply.status != 200 or not isinstance(texts, dict):
        return str(reply)
    if reply.broken:
        return f"{reply}, broken off"
    wrong = sorted(name for name in ok if name in texts and texts[name] != ok[name])
    told = f"200 with ok: {sorted(texts)}, failed: {body.get('failed')}"
    return f"{told}; not the text that was sent: {wrong}" if wrong else told


@criterion("all sources at once", points=2)
async def all_at_once(exam: Exam) -> str:
    async with asking(exam, dict.fromkeys(NAMES, held_in_pieces)) as made:
        with called(f"GET /summary, with {len(NAMES)} sources that hold their replies"):
            caller = made.app.call("/summary")
            await made.app.until(
                lambda: all(made[name].in_flight for name in made),
                "a call to each source, all in flight together",
                saw=lambda: f"{made.in_flight()} of {len(NAMES)} calls in flight",
                look="start a task for each source, then await them all",
                callers=[caller],
            )
        with called(f"GET /summary, with {len(NAMES)} sources that answer, the last one first"):
            for name in reversed(NAMES):
                made[name].released.set()
                await expect_released(made.app, made[name], expected="the source's reply is read")
            reply = (await made.app.replies([caller], "a reply when the last one has answered"))[0]
            expect_summary(made, reply, NAMES, {})
            again = sorted(name for name in made if len(made[name].calls) > 1)
            look = "what was asked together is the answer: nobody asks again for what to tell"
            saw = f"more than one call for one caller, to {again}"
            expect(not again, saw=saw, expected="one GET to each source", look=look)
    return "When the last one has answered, so do you: a deadline is the longest wait, not the wait"


async def held_in_pieces(call: Call) -> None:
    await call.upstream.released.wait()
    await piece_by_piece(call)


@criterion("a source that fails is an error, and the others go on", points=1)
async def failures(exam: Exam) -> str:
    failed = dict.fromkeys((*BROKEN, "away"), "error")
    async with asking(exam, {"slow": hold, **BROKEN, "slower": hold}, refused="away") as made:
        with called(
            "GET /summary: sources answer 500, 400, drop the connection, are away, or wait"
        ):
            caller = await all_asked(made)
            await made.app.settle()
            look = (
                "a TaskGroup cancels the others at the first error, gather raises it: catch the "
                "error of a source inside its own task"
            )
            expected = "no reply before all sources have answered or failed"
            if caller.done():
                saw = f"{caller.result()}, while two sources had yet to answer"
                expect(False, saw=made.app.with_log(saw), expected=expected, look=look)
            made.release()
            reply = (await made.app.replies([caller]))[0]
            expect_summary(made, reply, ("slow", "slower"), failed)
    return "Each failure stayed with its source. Half an answer is often better than none."


@scenario(
    Criterion(
        "the deadline cuts what hangs",
        points=3,
        passed="What had come was kept, what had not was named. The caller knows what is missing.",
    ),
    Criterion(
        "a source that hangs is let go",
        points=2,
        passed="You hung up first. A call that nobody awaits any more still costs both sides.",
    ),
)
async def deadline(exam: Exam, facts: Facts) -> None:
    scripts = {"silent": silent, "quick": at_once, "stuck": begins, "dripping": drips}
    async with asking(exam, scripts) as made:
        with called("GET /summary: one source answers; others are silent, stop, or drip"):
            caller = await all_asked(made)
            await made.app.freeze()
            with facts("the deadline cuts what hangs"):
                reply = await drip_until_over(made, caller, "dripping")
                timed_out = dict.fromkeys(("silent", "stuck", "dripping"), "timeout")
                expect_summary(made, reply, ["quick"], timed_out, too_late(reply))
            with facts("a source that hangs is let go"):
                expected = "calls cancelled and connections closed while the sources hang"
                look = "`asyncio.wait` cancels nothing: cancel what is pending; a thread cannot be"
                await expect_released(
                    made.app, *made.upstreams.values(), expected=expected, look=look
                )


def too_late(reply: Reply) -> str:
    if reply.status == 200:
        return LOOK
    return (
        "`asyncio.wait_for` around all calls loses what has come; a deadline for each source, or "
        "`asyncio.wait(tasks, timeout=…)`, keeps it"
    )


async def drips(call: Call) -> None:
    """Send a piece whenever the check says so, and never end."""
    await call.head()
    while True:
        await call.upstream.turn()
        await call.send(call.text[:3])


async def drip_until_over(made: Sources, caller: asyncio.Task[Reply], name: str) -> Reply:
    """The clock goes beyond the deadline in steps, and a piece arrives at each of them."""
    for step in range(STEPS):
        made[name].give_turn()
        await made.app.settle()
        if (step + 1) * STEP >= 1:
            await made.app.forward(0.9 * made.deadline - step * STEP * made.deadline)
            await expect_still_waiting(made, caller)
            await made.app.forward(0.1 * made.deadline + 1.05)
        else:
            await made.app.forward(STEP * made.deadline)
    expected = "a reply when DEADLINE is over"
    look = (
        "DEADLINE for each whole call, from when all are started: who awaits one task after the "
        f"other waits for one deadline after the other, and {BOUNDS}"
    )
    return (await made.app.replies([caller], expected, look))[0]


async def expect_still_waiting(made: Sources, caller: asyncio.Task[Reply]) -> None:
    if caller.done():
        saw = f"{caller.result()}, before DEADLINE was over"
        expect(False, saw=saw, expected="all of DEADLINE for each source", look=GIVES_UP)


@criterion("the deadline bounds the whole call", points=3)
async def whole_call(exam: Exam) -> str:
    await late_but_in_time(exam)
    async with asking(exam, {"dripping": drips, "quick": at_once}) as made:
        with called("GET /summary: one source answers, one sends a little again and again"):
            caller = await all_asked(made)
            await made.app.freeze()
            reply = await drip_until_over(made, caller, "dripping")
            expect_summary(made, reply, ["quick"], {"dripping": "timeout"}, BOUNDS)
    return "A timeout bounds the wait for the next piece, a deadline bounds them all together."


async def late_but_in_time(exam: Exam) -> None:
    """A source that is silent for long, but not until the deadline, has its text in the answer."""
    async with asking(exam, {"slow": hold, "quick": at_once}) as made:
        with called(f"GET /summary: a source answers shortly before DEADLINE = {made.deadline:g}"):
            caller = await all_asked(made)
            await made.almost_over()
            made.release()
            reply = (await made.app.replies([caller]))[0]
            given_up = "slow" in as_dict(as_dict(reply.json()).get("failed"))
            expect_summary(made, reply, ["slow", "quick"], {}, GIVES_UP if given_up else LOOK)


@criterion("a source that hangs delays no other caller", points=1)
async def others_served(exam: Exam) -> str:
    async with asking(exam, {"moody": at_once, "quick": at_once}) as made:
        moody, wakes_up = made["moody"], asyncio.Event()
        moody.script = hangs_at_first(moody, wakes_up)
        with called(f"{HUNG_CALLERS} callers of GET /summary, while a source hangs"):
            callers = made.app.call_many(HUNG_CALLERS, "/summary")
            await more_calls(made, HUNG_CALLERS, callers)
            await made.app.settle()  # what the quick source said has been read
        with called("one more caller, for whom all sources answer, while the others wait"):
            caller = made.app.call("/summary")
            await more_calls(made, HUNG_CALLERS + 1, [*callers, caller])
            await made.app.turn()  # so that the quick source's reply comes first, for sure
            moody.released.set()
            reply = (await made.app.replies([caller]))[0]
            expect_summary(made, reply, ["moody", "quick"], {})
        with called(f"{HUNG_CALLERS} callers, when the source has answered at last"):
            wakes_up.set()
            expect_own(made, [reply, *await made.app.replies(callers)])
    return "Those who wait for a hung source wait alone, as long as there are connections enough."


def hangs_at_first(source: Upstream, wakes_up: asyncio.Event) -> Script:
    async def script(call: Call) -> None:
        await (wakes_up if call.number < HUNG_CALLERS else source.released).wait()
        await call.reply(call.text)

    return script


async def more_calls(made: Sources, wanted: int, callers: list[asyncio.Task[Reply]]) -> None:
    """So many calls have come to the source that hangs, and no caller has a reply yet."""
    moody = made["moody"]
    await made.app.until(
        lambda: moody.in_flight >= wanted and len(made["quick"].calls) >= wanted,
        "a call to each source for each caller, and no reply before all have answered",
        saw=lambda: f"{moody.in_flight} calls in flight to the source that hangs",
        look="each caller asks for itself: it waits for nobody's lock, for no connection out of "
        "few, and for no call that blocks the loop",
        callers=callers,
    )


def expect_own(made: Sources, replies: list[Reply]) -> None:
    """Each caller got what was asked for it: texts that were sent, and no two the same."""
    for reply in replies:
        expect_reply(made.app, reply)
    texts = [as_dict(as_dict(reply.json()).get("ok")) for reply in replies]
    for name, source in made.upstreams.items():
        told = {str(ok.get(name)) for ok in texts}
        sent = {call.text for call in source.calls}
        expect(
            told <= sent and len(told) == len(replies),
            saw=f"{len(told)} different texts of {name!r} in {len(replies)} summaries",
            expected="each caller's own: the text that the source sent for that caller",
            look="what outlives a request, such as a dict of the module, is one for all callers: "
            "keep the results in names of the endpoint",
        )


@criterion("502 when none is ok", points=1)
async def none_ok(exam: Exam) -> str:
    async with asking(exam, BROKEN, refused="away") as made:
        with called("GET /summary, all sources fail"):
            expect_reply(made.app, await ask(made), status=502)
            expect(made.all_called(), saw="a source without a call", expected="a GET to each")
        with called("GET /summary, after all sources have failed"):
            for source in made.upstreams.values():
                source.script = at_once
            expect_summary(made, await ask(made), [*BROKEN], {"away": "error"})
    async with asking(exam, {"one": silent, "two": silent}) as made:
        with called("GET /summary, all sources hang"):
            caller = await all_asked(made)
            await made.almost_over()
            await made.over()
            expect_reply(made.app, (await made.app.replies([caller]))[0], status=502)
    return "A summary of nothing is no summary. Say so with the status: machines read that first."


@criterion("starts and stops cleanly", points=1)
async def stops_cleanly(exam: Exam) -> str:
    async with asking(exam, dict.fromkeys(NAMES[:3], at_once)) as made:
        with called("GET /summary"):
            expect_summary(made, await ask(made), NAMES[:3], {})
        await expect_nothing_left(made.app)
    return "No connection, no thread: nothing was left behind."


blocks_nothing = nothing_blocks()
