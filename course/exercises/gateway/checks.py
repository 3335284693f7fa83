"""What is graded in `gateway`: feeds from several sources, seen by callers and sources."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

from unblocked.grading.checks import (
    BROKEN,
    GIVES_UP,
    PLENTY,
    App,
    Call,
    Exam,
    Reader,
    Script,
    Sources,
    asking,
    at_once,
    begins,
    called,
    criterion,
    expect,
    expect_few_threads,
    expect_nothing_left,
    expect_port_closed,
    expect_released,
    expect_retry_after,
    hold,
    media_type,
    nothing_blocks,
    piece_by_piece,
    read_to_end,
    silent,
    until_read,
    while_open,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Line = dict[str, Any]

MANY = 30
THREADS_FORGIVEN = 4
MORE = 2
"""Callers that come at once with those for whom there is room."""
FEEDS, AT_A_TIME = 200, 4
FILLER = "x" * 200_000
FLAT = 40 << 20
"""Bytes that 200 feeds may add; whoever keeps what they were made of keeps twice that or more."""
MOST_BODY, MOST_LINES = 2 << 20, 1000
"""Bytes and lines of a feed that are read: right ones are a fifth of that, and a few lines."""
KINDS = re.compile(r"text/.+|application/(.+[-+.])?(nd)?json(l|lines|-.+)?")
A_REASON = "either a text or an error: raise_for_status(), then `error`; TimeoutError: `timeout`"
NO_END = "a reply ends with an http.response.body without more_body, or the server breaks it off"
AFTER_THE_PERMIT = (
    "take the permit first, then start the deadline: asyncio.timeout inside `async with semaphore`"
)


class Feed(Reader):
    """A caller of `GET /feed`, who reads line by line."""

    def __init__(self, app: App) -> None:
        self._whole: list[Line] = []
        self._rest = bytearray()
        super().__init__(app, "/feed")

    async def take(self, piece: bytes) -> bool:
        self._rest += piece
        if b"\n" in piece:
            *ended, self._rest = self._rest.split(b"\n")
            self._whole += [parse(bytes(line)) for line in ended[:MOST_LINES] if line.strip()]
        return await super().take(piece) and not self.too_long

    @property
    def too_long(self) -> bool:
        """Whether more came than a feed holds: no more of it is read."""
        return self.received > MOST_BODY or len(self._whole) > MOST_LINES

    @property
    def lines(self) -> list[Line]:
        """The lines that have come, parsed; {} for one that is no JSON object."""
        rest = parse(bytes(self._rest)) if self._rest.strip() else None
        return self._whole if rest is None or not (rest or self.over) else [*self._whole, rest]

    def line(self, source: str) -> Line | None:
        """The line of this source."""
        return next((line for line in self.lines if line.get("source") == source), None)

    def __str__(self) -> str:
        if self.status != 200:
            return f"status {self.status}{self.end}" if self.status else "no reply"
        end = ", much too long" if self.too_long else self.end
        told = ", ".join(json.dumps(line, ensure_ascii=False)[:60] for line in self.lines)
        return f"{len(self.lines)} lines{end}: {told[:400]}"


def parse(piece: bytes) -> Line:
    with contextlib.suppress(ValueError, RecursionError):
        line = json.loads(piece)
        return line if isinstance(line, dict) else {}
    return {}


def have_lines(feeds: list[Feed], *names: str) -> bool:
    """Whether each of the feeds has a line of each of these sources."""
    return all(feed.line(name) for feed in feeds for name in names)


def bears(per_source: int = 8, capacity: int = 8) -> dict[str, int]:
    """How many calls each source bears, and how many feeds the app serves, for the answer."""
    return {"PER_SOURCE": per_source, "CAPACITY": capacity}


def feeds_of(made: Sources, times: int) -> list[Feed]:
    return [Feed(made.app) for _ in range(times)]


def expect_lines(
    feed: Feed,
    texts: Mapping[str, Sequence[str]],
    errors: Mapping[str, str] | None = None,
    look: str = "",
) -> None:
    """One line for each source: one of the texts it sent, or this error."""
    errors = errors or {}
    told = sorted(str(line.get("source")) for line in feed.lines)
    right = told == sorted([*texts, *errors]) and all(
        line.get("error") == errors[line["source"]] and "text" not in line
        if line["source"] in errors
        else line.get("text") in texts[line["source"]] and "error" not in line
        for line in feed.lines
    )
    expected = f"a line of JSON with the text of each of {sorted(texts)}"
    if errors:
        expected += f", and lines with the errors {dict(errors)}"
    told_right = told == sorted([*texts, *errors]) and errors
    look = look or (
        A_REASON if told_right else 'json.dumps({"source": name, "text": text}) + "\\n"'
    )
    expect(right, saw=feed.app.with_log(feed), expected=expected, look=look)


def sent(made: Sources, *names: str) -> dict[str, list[str]]:
    """All texts that these sources sent, or all sources."""
    return {name: [call.text for call in made[name].calls] for name in names or made}


def expect_own(made: Sources, feeds: list[Feed]) -> None:
    texts = {str(line["text"]) for feed in feeds for line in feed.lines}
    calls, wanted = made.calls, len(feeds) * len(made.upstreams)
    saw = f"{calls} calls to the sources, {len(texts)} different texts in {len(feeds)} feeds"
    expected = f"{wanted} calls, and the text of each in one feed"
    expect((len(texts), calls) == (wanted, wanted), saw=saw, expected=expected)


async def complete(made: Sources, feeds: list[Feed]) -> None:
    """All sources answer, and every feed has all their texts."""
    made.release()
    await read_to_end(feeds)
    for feed in feeds:
        expect_lines(feed, sent(made))


@criterion("each line as soon as it is there", points=3)
async def as_it_comes(exam: Exam) -> str:
    names = ["first", "second", "größe", "a b"]
    async with asking(exam, dict.fromkeys(names, hold), **bears()) as made:
        feed = Feed(made.app)
        with called("GET /feed, while all sources hold their replies"):
            together = "a call to each source, all in flight together"
            look = "start a task for each source before you wait for the first"
            await while_open([feed], lambda: made.in_flight() == len(names), together, look)
        for name in reversed(names[1:]):
            made[name].released.set()
            with called(f"GET /feed: {name!r} has answered, others are held"):
                line = f"the line of {name!r}, while others are held"
                look = "asyncio.as_completed, or a queue: not gather, not the order of SOURCES"
                await until_read([feed], lambda name=name: feed.line(name), line, look)
        with called("GET /feed"):
            await complete(made, [feed])
            expect_own(made, [feed])
            kind = feed.headers.get("content-type", "missing")
            expected = "a content type that fits lines of JSON, such as application/x-ndjson"
            look = 'StreamingResponse(…, media_type="application/x-ndjson")'
            fits = KINDS.fullmatch(media_type(feed.headers))
            expect(fits, saw=f"content-type {kind}", expected=expected, look=look)
    return "Nobody waited for the slowest. That is what a stream is for."


@criterion("every feed tells all sources, by calls of its own", points=2)
async def own_calls(exam: Exam) -> str:
    names = ["first", "second", "größe"]
    async with asking(exam, dict.fromkeys(names, hold), **bears()) as made:
        with called("two callers at once, GET /feed, while the sources hold their replies"):
            feeds = feeds_of(made, 2)
            both = "two calls to each source: each feed makes its own"
            await while_open(feeds, lambda: made.in_flight() == 2 * len(names), both)
            for source in made.upstreams.values():
                source.script = piece_by_piece
                source.released.set()
            feeds += feeds_of(made, 2)
            await complete(made, feeds)
            expect_own(made, feeds)
    return "What one caller is told was asked for that caller. Sharing would be caching: say so."


@criterion("PER_SOURCE calls to a source, never more", points=4)
async def per_source(exam: Exam) -> str:
    scripts: dict[str, Script] = {"slow": hold, "slower": hold, "quick": at_once}
    async with asking(exam, scripts, **bears(per_source=2, capacity=6)) as made:
        with called("six callers, GET /feed, PER_SOURCE = 2, while two of three sources hold"):
            slow, slower, feeds = made["slow"], made["slower"], feeds_of(made, 6)
            two = "two calls in flight to each source that holds"
            await while_open(feeds, lambda: slow.in_flight >= 2 <= slower.in_flight, two)
            quick = "the quick source's line in all six feeds"
            look = (
                "each source has permits of its own: a limit for all of them together, or for "
                "whole feeds, lets the slow ones keep callers from the quick one"
            )
            await while_open(feeds, lambda: have_lines(feeds, "quick"), quick, look)
            await made.app.settle()
            expect_peaks(made, 2)
            await complete(made, feeds)
            expect_peaks(made, 2)
    return "Each source has a limit of its own, over all callers, and never saw more than that."


def expect_peaks(made: Sources, most: int) -> None:
    peaks = {name: made[name].peak for name in made}
    look = "one asyncio.Semaphore for each source, made once for the app"
    expected = f"{most} at most, to each source, over all callers"
    saw = f"the most calls in flight at once: {peaks}"
    expect(max(peaks.values()) <= most, saw=saw, expected=expected, look=look)


@criterion("503 when CAPACITY feeds are open", points=3)
async def capacity(exam: Exam) -> str:
    async with asking(exam, {"slow": hold, "quick": at_once}, **bears(capacity=3)) as made:
        await overrun(made, 3)
        for _ in range(2):
            await fill(made, 3)
    return "A quick no is kinder than a slow yes. Retry-After is advice, and not a promise."


async def overrun(made: Sources, room: int) -> None:
    """Callers come before the app has seen the first of them: so many are let in, and no more."""
    with called(f"{room + MORE} callers at once, GET /feed, CAPACITY = {room}"):
        async with made.app.together(room + MORE):
            feeds = feeds_of(made, room + MORE)
        answered = lambda: all(feed.status == 200 or feed.over for feed in feeds)  # noqa: E731
        await until_read(feeds, answered, "a reply each, at once, and a 503 comes to its end")
        statuses = sorted(feed.status for feed in feeds)
        expect(
            statuses == [200] * room + [503] * MORE,
            saw=made.app.with_log(f"replies with the statuses {statuses}"),
            expected=f"200 for {room} of them, 503 for the others",
            look="see that there is room and take it before the next `await`: what a generator "
            "takes is taken later, when others have seen the same room",
        )
        for feed in feeds:
            if feed.status == 503:
                expect_refusal(made, feed)
        await stay_and_complete(made, [feed for feed in feeds if feed.status == 200])
        expect_calls(made, room * len(made.upstreams))


async def fill(made: Sources, room: int) -> None:
    """So many feeds are let in, one more is not; then they are completed."""
    feeds = feeds_of(made, room)
    with called(f"GET /feed, CAPACITY = {room}, {room} callers, while a source holds"):
        line = f"{room} feeds, each with a line"
        await while_open(feeds, lambda: have_lines(feeds, "quick"), line)
    with called(f"GET /feed, twice, while {room} of {room} feeds are open"):
        await expect_refused(made)
    with called(f"GET /feed, CAPACITY = {room}, {room} callers"):
        await stay_and_complete(made, feeds)


async def stay_and_complete(made: Sources, feeds: list[Feed]) -> None:
    """Those who are in stay in, and get all lines when the slow source answers."""
    await while_open(feeds, lambda: not any(f.over for f in feeds), "those who are in stay")
    await complete(made, feeds)
    await made.app.settle()
    made["slow"].released.clear()


async def expect_refused(made: Sources) -> None:
    """Two callers more are turned away, at once, and no source is asked for them."""
    await made.app.settle()  # the calls of those who are in have come
    before = made.calls
    for _ in range(2):
        late = Feed(made.app)
        whole = "a whole reply, at once: 503"
        await until_read([late], lambda late=late: late.status == 200 or late.over, whole)
        expect_refusal(made, late)
    await made.app.settle()
    expect_calls(made, before)


def expect_refusal(made: Sources, feed: Feed) -> None:
    """The reply is 503, whole, and says when to come again."""
    look = "decide before the StreamingResponse is made: its status is sent first"
    saw = made.app.with_log(feed)
    expect(feed.status == 503, saw=saw, expected="503 with Retry-After, at once", look=look)
    expect(feed.complete, saw=saw, expected="a whole reply", look=NO_END)
    expect_retry_after(feed)


def expect_calls(made: Sources, most: int) -> None:
    """Those who were refused have called no source."""
    more = made.calls - most
    saw = f"{more} calls to sources for those who were refused"
    expect(more <= 0, saw=saw, expected="503 without any call")


@criterion("a silent source is cut and let go", points=4)
async def cut(exam: Exam) -> str:
    scripts = {"silent": silent, "quick": at_once}
    async with asking(exam, scripts, **bears(per_source=1)) as made:
        for number in (1, 2):
            with called("GET /feed, PER_SOURCE = 1: one source answers, one is silent"):
                feed = Feed(made.app)
                asked = lambda n=number: feed.line("quick") and len(made["silent"].calls) == n  # noqa: E731, B023
                line = "a line, and a call to the silent source: the permit of one cut is free"
                await while_open([feed], asked, line)
                await made.almost_over()
                early = feed.line("silent") or feed.over
                expect(not early, saw=feed, expected="all of DEADLINE", look=GIVES_UP)
                await made.over()
                look = "DEADLINE for each source, from when its permit is yours"
                await until_read([feed], lambda: feed.over, "the feed ends at DEADLINE", look)  # noqa: B023
                await read_to_end([feed])
                expect_lines(feed, sent(made, "quick"), {"silent": "timeout"})
                sources, look = made.upstreams.values(), "asyncio.timeout cancels, asyncio.wait not"
                expected = "the call cancelled, its connection closed, while it is silent"
                await expect_released(made.app, *sources, expected=expected, look=look)
    return "The permit was free again as soon as you had hung up, not when the source gave in."


@criterion("waiting for a free place does not count", points=2)
async def waiting(exam: Exam) -> str:
    await late_but_in_time(exam)
    async with asking(exam, {"slow": silent}, **bears(per_source=1)) as made:
        source = made["slow"]
        source.script = third_call_answers
        with called("three callers, GET /feed, PER_SOURCE = 1; two calls stay silent"):
            feeds = feeds_of(made, 3)
            for number in (1, 2):
                one = f"call {number} to the source, alone"
                asked = lambda n=number: len(source.calls) == n  # noqa: E731
                await until_read(feeds, asked, one, AFTER_THE_PERMIT)
                await made.almost_over()
                over = sum(feed.over for feed in feeds)
                saw = f"{over} feeds at their end, {len(source.calls)} calls"
                right = over == number - 1 and len(source.calls) == number
                expected = f"DEADLINE for call {number}, counted from when it was sent"
                expect(right, saw=saw, expected=expected, look=AFTER_THE_PERMIT)
                await made.over()
            await until_read(feeds, lambda: all(f.over for f in feeds), "three ends of feeds")
            told = sorted(outcome(feed, [c.text for c in source.calls]) for feed in feeds)
            saw = " | ".join(map(str, feeds))
            expected = "two timeouts, and the text of the third call"
            right = told == ["its text", "timeout", "timeout"] and source.peak == 1
            expect(right, saw=saw, expected=expected, look=AFTER_THE_PERMIT)
    return "The source is given its time, whoever was before. The caller's patience is another."


async def third_call_answers(call: Call) -> None:
    await (call.reply(call.text) if call.number == 2 else silent(call))


def outcome(feed: Feed, texts: list[str]) -> str:
    """What the feed says of the slow source: "its text", or an error, or anything else."""
    line = feed.line("slow") or {}
    return "its text" if line.get("text") in texts else str(line.get("error"))


async def late_but_in_time(exam: Exam) -> None:
    """A source that is silent for long, but not until the deadline, has its text in the feed."""
    async with asking(exam, {"slow": hold, "quick": at_once}, **bears(per_source=1)) as made:
        with called(f"two callers, GET /feed, PER_SOURCE = 1: a source answers after 0.9 {PLENTY}"):
            feeds = feeds_of(made, 2)
            asked = lambda: have_lines(feeds, "quick") and made.in_flight("slow") > 0  # noqa: E731
            line = "the line of the other source, and a call to the one that is silent"
            await while_open(feeds, asked, line)
            await made.almost_over()
            made.release()
            await read_to_end(feeds)
            for feed in feeds:
                given_up = "error" in (feed.line("slow") or {})
                expect_lines(feed, sent(made), look=GIVES_UP if given_up else "")


@criterion("a source that fails is an error, and the others go on", points=2)
async def failures(exam: Exam) -> str:
    errors = dict.fromkeys((*BROKEN, "away"), "error")
    async with asking(exam, {"slow": hold, **BROKEN}, refused="away", **bears()) as made:
        with called("GET /feed: sources answer 500, 400, drop the connection, are away, one waits"):
            for _ in range(2):
                feed = Feed(made.app)
                lines = "the lines of those that failed, while the slow one is held"
                look = (
                    "catch what a source raises where that source is asked: a status of 400 or "
                    "more raises only when you say raise_for_status()"
                )
                failed = lambda feed=feed: have_lines([feed], *errors)  # noqa: E731
                await while_open([feed], failed, lines, look)
                slow = "a call to the slow one, in flight"
                await while_open([feed], lambda: made.in_flight("slow") > 0, slow)
                made.release()
                await read_to_end([feed])
                expect_lines(feed, sent(made, "slow"), errors)
                made["slow"].released.clear()
    return "The status was sent long before: in a stream, failures must be told in the stream."


@criterion("a caller who leaves lets go", points=3)
async def leaves(exam: Exam) -> str:
    scripts = {"slow": hold, "slower": hold, "stuck": begins, "quick": at_once}
    async with asking(exam, scripts, **bears()) as made:
        with called("a caller of GET /feed who leaves after the first line, sources held"):
            feed = Feed(made.app)
            asked = lambda: feed.line("quick") and made.in_flight() == 3  # noqa: E731
            await while_open([feed], asked, "a line, and three calls in flight")
            await leave(made, feed)
        made["quick"].script = silent
        with called("a caller of GET /feed who leaves before the first line"):
            feed = Feed(made.app)
            four = "four calls in flight"
            await while_open([feed], lambda: made.in_flight() == 4, four)
            await leave(made, feed)
    return "The response was cancelled when its caller left, and the clean-up was not."


async def leave(made: Sources, feed: Feed) -> None:
    await feed.leave()
    await expect_released(
        made.app,
        *made.upstreams.values(),
        expected="all calls released, while the sources hold them",
        look="`finally` in the generator: cancel the tasks, and await them in "
        "anyio.CancelScope(shield=True), since the response's own cancellation strikes again",
    )


@criterion("the place of a caller who left is free", points=2)
async def places(exam: Exam) -> str:
    scripts = {"slow": hold, "quick": at_once}
    async with asking(exam, scripts, **bears(capacity=3, per_source=2)) as made:
        with called("GET /feed, CAPACITY = 3, PER_SOURCE = 2: three callers, all leave; twice"):
            for _ in range(2):
                feeds = feeds_of(made, 3)
                lines = lambda feeds=feeds: have_lines(feeds, "quick")  # noqa: E731
                look = "whatever was taken is given back in `finally`, also when the caller leaves"
                await while_open(feeds, lines, "three feeds, each with a line", look)
                two = "two calls in flight to the slow source"
                await while_open(feeds, lambda: made.in_flight() == 2, two, look)
                for feed in reversed(feeds):
                    await feed.leave()
                await expect_released(made.app, *made.upstreams.values())
                await made.app.settle()
            await fill(made, 3)
    return "Capacity that leaks away is the worst kind of full: nobody is there, nobody gets in."


@criterion("shutdown completes the feeds", points=1)
async def shutdown(exam: Exam) -> str:
    async with asking(exam, {"slow": hold, "quick": at_once}, **bears()) as made:
        with called("shutdown, while two feeds are open"):
            feeds = feeds_of(made, 2)
            in_ = lambda: have_lines(feeds, "quick") and made.in_flight("slow") == 2  # noqa: E731
            await while_open(feeds, in_, "two feeds, each with a line")
            stopping = made.app.begin_to_stop()
            await expect_port_closed(made.app)
            late = Feed(made.app)
            await until_read([late], lambda: late.over, "new feeds refused")
            saw, expected = "a new feed was let in", "new ones refused"
            expect(late.status != 200, saw=saw, expected=expected)
            await complete(made, feeds)
            await made.app.until(stopping.done, "the shutdown ends")
            saw = made.app.last_error() or "an error"
            expect(stopping.result()["value"], saw=saw, expected="a clean shutdown")
    return "New callers were refused, those who were in got their last line."


@criterion("no thread per caller", points=1)
async def threads(exam: Exam) -> str:
    scripts = {"slow": hold, "slower": hold}
    async with asking(exam, scripts, **bears(capacity=MANY, per_source=MANY)) as made:
        with called(f"{MANY} callers, GET /feed, while both sources hold"):
            await made.app.turn(1)
            before = min(await made.app.threads(), MANY // 3 - THREADS_FORGIVEN)
            feeds = feeds_of(made, MANY)
            all_ = f"{2 * MANY} calls in flight"
            await while_open(feeds, lambda: made.in_flight() == 2 * MANY, all_)
            expect_few_threads(
                before,
                await made.app.threads(),
                more=THREADS_FORGIVEN,
                expected=f"no thread per caller ({THREADS_FORGIVEN} more are forgiven)",
                look="a plain `def` endpoint, dependency or generator waits in a thread; those of "
                "a pool that was filled before the first caller came count, too",
            )
            await complete(made, feeds)
    return "Thirty callers waited for sixty calls, and no thread waited with them."


@criterion("memory stays flat", points=1)
async def memory(exam: Exam) -> str:
    async with asking(exam, {"one": long_text, "two": long_text}, **bears()) as made:
        with called(f"GET /feed, {FEEDS} times, {AT_A_TIME} at a time, 400 kB each"):
            await read_feeds(made, FEEDS // 5)
            before = await held_memory(made)
            await read_feeds(made, FEEDS)
            grown = await held_memory(made) - before
            saw, expected = f"{grown >> 20} MiB more", f"flat: less than {FLAT >> 20} MiB more"
            look = "results or tasks that are kept in a list, a dict or a set for good"
            expect(grown <= FLAT, saw=saw, expected=expected, look=look)
    return "Two hundred feeds came and went, and left nothing behind."


async def long_text(call: Call) -> None:
    await call.reply(call.text + FILLER)


async def read_feeds(made: Sources, times: int) -> None:
    for _ in range(times // AT_A_TIME):
        feeds = feeds_of(made, AT_A_TIME)
        await read_to_end(feeds)
        for feed in feeds:
            if len(feed.lines) != 2 or not all("text" in line for line in feed.lines):
                expect_lines(feed, sent(made))
        await made.app.settle()


async def held_memory(made: Sources) -> int:
    await made.app.inside("collect")
    return made.app.memory()


@criterion("starts and stops cleanly", points=1)
async def stops_cleanly(exam: Exam) -> str:
    async with asking(exam, {"one": at_once, "two": at_once}, **bears()) as made:
        with called("two callers, GET /feed"):
            await read_to_end(feeds := feeds_of(made, 2))
            for feed in feeds:
                expect_lines(feed, sent(made))
        await expect_nothing_left(made.app)
    return "No connection, no thread: nothing was left behind."


blocks_nothing = nothing_blocks()
