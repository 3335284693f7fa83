"""What is graded in `gateway`: feeds from several sources, seen by callers and sources."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp

from unblocked.grading.checks.deadlines import Hurried, Watch, kept_by_the_loop, near_a_deadline
from unblocked.grading.checks.exam import (
    LOOP_TURNS,
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
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    Script = Callable[[Call], Awaitable[None]]
    Line = dict[str, Any]

PLENTY = 6000.0
"""A deadline (s) that no check lives to see."""
ALMOST = 0.9
"""Of the deadline: a source that is silent for so long has its text in the feed."""
MANY = 30
THREADS_FORGIVEN = 4
MOST_THREADS = MANY // 3
"""In all, with those that were there before the first caller: right answers have one."""
GIVES_UP = (
    "a source has all of DEADLINE, and no other timeout may strike: HTTPX gives up by itself when "
    "five seconds bring nothing, but for timeout=None"
)
MORE = 2
"""Callers that come at once with those for whom there is a place."""
FEEDS = 200
AT_A_TIME = 4
FILLER = "x" * 200_000
FLAT = 40 << 20
"""Bytes that 200 feeds may add; whoever keeps what they were made of keeps twice that or more."""
MOST_BODY = 2 << 20
MOST_LINES = 1000
"""Bytes and lines of a feed that are read: right ones are a fifth of that, and a few lines."""
PROBES = 200


class Feed:
    """A caller of `GET /feed`, who reads line by line."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.size = 0
        self.complete = False
        self._whole: list[Line] = []
        self._rest = bytearray()
        self.task = asyncio.create_task(self._read())
        app.tasks.append(self.task)
        self.task.add_done_callback(lambda _: app.process.pulse())

    async def _read(self) -> None:
        with contextlib.suppress(aiohttp.ClientError):
            async with self.app.open("/feed") as response:
                self.status, self.headers = response.status, response.headers
                self.app.process.pulse()
                async for piece in response.content.iter_any():
                    self._take(piece)
                    self.app.process.pulse()
                    if self.too_long:
                        return
                self.complete = True

    def _take(self, piece: bytes) -> None:
        self.size += len(piece)
        self._rest += piece
        if b"\n" in piece:
            *ended, self._rest = self._rest.split(b"\n")
            self._whole += [parse(bytes(line)) for line in ended[:MOST_LINES] if line.strip()]

    @property
    def too_long(self) -> bool:
        """Whether more came than a feed holds: no more of it is read."""
        return self.size > MOST_BODY or len(self._whole) > MOST_LINES

    @property
    def over(self) -> bool:
        return self.task.done()

    @property
    def lines(self) -> list[Line]:
        """The lines that have come, parsed; {} for one that is no JSON object."""
        rest = parse(bytes(self._rest)) if self._rest.strip() else None
        return self._whole if rest is None or not (rest or self.over) else [*self._whole, rest]

    def line(self, source: str) -> Line | None:
        """The line of this source."""
        return next((line for line in self.lines if line.get("source") == source), None)

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])

    def __str__(self) -> str:
        if self.status != 200:
            return f"status {self.status}" if self.status else "no answer"
        told = [
            {**line, "text": f"{str(line['text'])[:20]}…"} if "text" in line else line
            for line in self.lines
        ]
        return f"{len(told)} lines{self._end}: {json.dumps(told, ensure_ascii=False)[:400]}"

    @property
    def _end(self) -> str:
        if self.too_long:
            return ", much too long"
        if not self.over:
            return ""
        return ", ended" if self.complete else ", broken off"


def parse(piece: bytes) -> Line:
    with contextlib.suppress(ValueError, RecursionError):
        line = json.loads(piece)
        return line if isinstance(line, dict) else {}
    return {}


def have_lines(feeds: list[Feed], *names: str) -> bool:
    """Whether each of the feeds has a line of each of these sources."""
    return all(feed.line(name) for feed in feeds for name in names)


class Scene:
    """The answer's app, started, and its sources."""

    def __init__(self, app: App, sources: dict[str, Upstream], away: str, deadline: float) -> None:
        self.app, self.sources, self.away, self.deadline = app, sources, away, deadline

    def __getitem__(self, name: str) -> Upstream:
        return self.sources[name]

    def feed(self) -> Feed:
        return Feed(self.app)

    def feeds(self, times: int) -> list[Feed]:
        return [Feed(self.app) for _ in range(times)]

    @property
    def in_flight(self) -> int:
        return sum(source.in_flight for source in self.sources.values())

    async def until(
        self,
        condition: Callable[[], object],
        feeds: Feed | list[Feed],
        called: str,
        expected: str,
        look: str = "",
        *,
        held: bool = False,
    ) -> None:
        """Wait for the condition; with `held`, no feed may have ended before."""
        waiting = feeds if isinstance(feeds, list) else [feeds]
        ended: Callable[[], bool] = lambda: held and any(feed.over for feed in waiting)  # noqa: E731
        saw: Callable[[], str] = lambda: " | ".join(map(str, waiting[:3]))  # noqa: E731
        await self.app.until(
            lambda: bool(condition()) or ended(),
            called=called,
            expected=expected,
            saw=saw,
            look=look,
        )
        if not condition():
            saw_last = await self.with_log(f"{saw()}, too early")
            raise Failed(called=called, saw=saw_last, expected=expected, look=look)

    async def with_log(self, saw: object) -> str:
        """What was seen, and the log's error; that comes after the answer, or soon after."""
        with contextlib.suppress(Failed):
            await self.app.turn(1)
        return self.app.with_log(saw)

    async def ended(self, feeds: list[Feed], called: str) -> None:
        """Wait until all feeds have ended, whole."""
        expected = "every feed comes to its end"
        await self.until(lambda: all(feed.over for feed in feeds), feeds, called, expected)
        for feed in feeds:
            if feed.status != 200 or not feed.complete:
                raise Failed(
                    called=called,
                    saw=await self.with_log(feed),
                    expected="200, and a body that comes to its proper end",
                )


@contextlib.asynccontextmanager
async def scene(
    exam: Exam,
    scripts: Mapping[str, Script | None],
    deadline: float = PLENTY,
    *,
    per_source: int = 8,
    capacity: int = 8,
    away: str = "",
) -> AsyncIterator[Scene]:
    """The app with a source for each script (None: it holds its answers until released).

    `away` names one more, that cannot be reached.
    """
    async with exam.run() as app:
        sources = {name: await app.upstream(script or at_once) for name, script in scripts.items()}
        for name, source in sources.items():
            source.script = scripts[name] or source.hold
        urls = {name: f"{up.url}/{number}" for number, (name, up) in enumerate(sources.items())}
        if away:
            urls[away] = f"{app.unreachable()}/away"
        app.bind(SOURCES=urls, DEADLINE=deadline, PER_SOURCE=per_source, CAPACITY=capacity)
        await app.start()
        yield Scene(app, sources, away, deadline)


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


ONE_HANGS: dict[str, Script | None] = {"silent": silent, "quick": at_once}


def expect(
    feed: Feed,
    called: str,
    *,
    texts: Mapping[str, Sequence[str]],
    errors: Mapping[str, str] | None = None,
    look: str = "",
) -> None:
    """One line for each source: one of the texts it sent, or this error."""
    errors = errors or {}
    lines = feed.lines
    told = sorted(str(line.get("source")) for line in lines)
    right = told == sorted([*texts, *errors]) and all(
        line.get("error") == errors[line["source"]] and "text" not in line
        if line["source"] in errors
        else line.get("text") in texts[line["source"]] and "error" not in line
        for line in lines
    )
    if not right:
        raise Failed(
            called=called,
            saw=feed.app.with_log(feed),
            expected=f"a line of JSON with the text of each of {sorted(texts)}"
            + (f", and lines with the errors {dict(errors)}" if errors else ""),
            look=look or 'json.dumps({"source": name, "text": text}) + "\\n"',
        )


def sent(made: Scene, *names: str) -> dict[str, list[str]]:
    """All texts that these sources sent."""
    return {name: [call.text for call in made[name].calls] for name in names}


@criterion("each line as soon as it is there", points=3)
async def as_it_comes(exam: Exam) -> str:
    names = ["first", "second", "größe", "a b"]
    async with scene(exam, dict.fromkeys(names)) as made:
        called = "GET /feed, while all sources hold their answers"
        feed = made.feed()
        await made.until(
            lambda: made.in_flight == len(names),
            feed,
            called,
            "a call to each source, all in flight together",
            "start a task for each source before you wait for the first",
            held=True,
        )
        for name in reversed(names[1:]):
            made[name].released.set()
            called = f"GET /feed: {name!r} has answered, others are held"
            line = f"the line of {name!r}, while others are held"
            look = "asyncio.as_completed, or a queue: not gather, not the order of SOURCES"
            await made.until(partial(feed.line, name), feed, called, line, look)
        made["first"].released.set()
        await made.ended([feed], called)
        expect(feed, called, texts=sent(made, *names))
        expect_own(made, [feed], called)
    return "Nobody waited for the slowest. That is what a stream is for."


@criterion("every feed tells all sources, by calls of its own", points=3)
async def own_calls(exam: Exam) -> str:
    names = ["first", "second", "größe"]
    async with scene(exam, dict.fromkeys(names)) as made:
        called = "two callers at once, GET /feed, while the sources hold their answers"
        feeds = made.feeds(2)
        await made.until(
            lambda: made.in_flight == 2 * len(names),
            feeds,
            called,
            "two calls to each source: each feed makes its own",
            held=True,
        )
        for source in made.sources.values():
            source.script = piece_by_piece
            source.released.set()
        feeds += made.feeds(2)
        await made.ended(feeds, called)
        for feed in feeds:
            expect(feed, called, texts=sent(made, *names))
        expect_own(made, feeds, called)
    return "What one caller is told was asked for that caller. Sharing would be caching: say so."


def expect_own(made: Scene, feeds: list[Feed], called: str) -> None:
    texts = {str(line["text"]) for feed in feeds for line in feed.lines}
    calls = calls_in_all(made)
    expected = len(feeds) * len(made.sources)
    if (len(texts), calls) != (expected, expected):
        raise Failed(
            called=f"GET /feed, {len(feeds)} times",
            saw=f"{calls} calls to the sources, {len(texts)} different texts in the feeds",
            expected=f"{expected} calls, and the text of each in one feed",
        )


@criterion("PER_SOURCE calls to a source, never more", points=4)
async def per_source(exam: Exam) -> str:
    scripts = {"slow": None, "slower": None, "quick": at_once}
    async with scene(exam, scripts, per_source=2, capacity=6) as made:
        called = "six callers, GET /feed, PER_SOURCE = 2, while two of three sources hold"
        feeds = made.feeds(6)
        await made.until(
            lambda: min(made["slow"].in_flight, made["slower"].in_flight) >= 2,
            feeds,
            called,
            "two calls in flight to each source that holds",
            held=True,
        )
        await made.until(
            lambda: have_lines(feeds, "quick"),
            feeds,
            called,
            "the quick source's line in all six feeds",
            "each source has places of its own: a limit for all of them together, or for whole "
            "feeds, lets the slow ones keep callers from the quick one",
            held=True,
        )
        await made.app.settle()
        expect_peaks(made, 2, called)
        for name in ("slow", "slower"):
            made[name].released.set()
        await made.ended(feeds, called)
        expect_peaks(made, 2, called)
        for feed in feeds:
            expect(feed, called, texts=sent(made, *scripts))
    return "Each source has a limit of its own, over all callers. It never saw more than it bears."


def expect_peaks(made: Scene, most: int, called: str) -> None:
    peaks = {name: source.peak for name, source in made.sources.items()}
    if max(peaks.values()) > most:
        raise Failed(
            called=called,
            saw=f"the most calls in flight at once: {peaks}",
            expected=f"{most} at most, to each source, over all callers",
            look="one asyncio.Semaphore for each source, made once for the app",
        )


@criterion("503 when CAPACITY feeds are open", points=3)
async def capacity(exam: Exam) -> str:
    async with scene(exam, {"slow": None, "quick": at_once}, capacity=3) as made:
        await overrun(made, 3)
        for _ in range(2):
            await fill(made, 3)
    return (
        "A quick no is kinder than a slow yes. The number in Retry-After is advice, not a promise."
    )


async def overrun(made: Scene, places: int) -> None:
    """Callers come before the app has seen the first of them: so many are let in, and no more."""
    called = f"{places + MORE} callers at once, GET /feed, CAPACITY = {places}"
    async with made.app.together(places + MORE):
        feeds = made.feeds(places + MORE)
    answered: Callable[[], bool] = lambda: all(feed.status or feed.over for feed in feeds)  # noqa: E731
    await made.until(answered, feeds, called, "an answer each, at once")
    statuses = sorted(feed.status for feed in feeds)
    if statuses != [200] * places + [503] * MORE:
        raise Failed(
            called=called,
            saw=await made.with_log(f"answers with the statuses {statuses}"),
            expected=f"200 for {places} of them, 503 for the others",
            look="see that there is a place and take it before the next `await`: what a generator "
            "takes is taken later, when others have seen the same place",
        )
    for feed in feeds:
        if feed.status == 503:
            await expect_refusal(made, feed, called)
    await complete(made, [feed for feed in feeds if feed.status == 200], called)
    expect_calls(made, places * len(made.sources), called)


async def fill(made: Scene, places: int) -> None:
    """So many feeds are let in, one more is not; then they are completed."""
    called = f"GET /feed, CAPACITY = {places}, {places} callers, while a source holds"
    feeds = made.feeds(places)
    await made.until(
        lambda: have_lines(feeds, "quick"),
        feeds,
        called,
        f"{places} feeds, each with a line",
        held=True,
    )
    await expect_refused(made, f"GET /feed, twice, while {places} of {places} feeds are open")
    await complete(made, feeds, called)


async def complete(made: Scene, feeds: list[Feed], called: str) -> None:
    """Those who are in stay in, and get all lines when the slow source answers."""
    stay: Callable[[], bool] = lambda: not any(feed.over for feed in feeds)  # noqa: E731
    await made.until(stay, feeds, called, "those who are in stay in", held=True)
    made["slow"].released.set()
    await made.ended(feeds, called)
    for feed in feeds:
        expect(feed, called, texts=sent(made, *made.sources))
    await made.app.settle()
    made["slow"].released.clear()


async def expect_refused(made: Scene, called: str) -> None:
    """Two callers more are turned away, at once, and no source is asked for them."""
    await made.app.settle()  # the calls of those who are in have come
    before = calls_in_all(made)
    for _ in range(2):
        late = made.feed()
        answered = partial(lambda feed: feed.status > 0 or feed.over, late)
        await made.until(answered, late, called, "an answer, at once: 503")
        await expect_refusal(made, late, called)
    await made.app.settle()
    expect_calls(made, before, called)


async def expect_refusal(made: Scene, feed: Feed, called: str) -> None:
    """The answer is 503, and says when to come again."""
    advice = feed.headers.get("retry-after")
    if feed.status != 503 or not advice:
        raise Failed(
            called=called,
            saw=await made.with_log(f"{feed}, Retry-After: {advice}"),
            expected="503 with Retry-After, at once",
            look="decide before the StreamingResponse is made: its status is sent first",
        )


def expect_calls(made: Scene, most: int, called: str) -> None:
    """Those who were refused have called no source."""
    if (more := calls_in_all(made) - most) > 0:
        raise Failed(
            called=called,
            saw=f"{more} calls to sources for those who were refused",
            expected="503 without any call",
        )


def calls_in_all(made: Scene) -> int:
    return sum(len(source.calls) for source in made.sources.values())


@criterion("a silent source is cut and let go", points=4)
async def cut(exam: Exam) -> str:
    called = "GET /feed: one source answers, one is silent"
    late = busy = False

    async def judge(made: Scene) -> str:
        nonlocal late, busy
        late = busy = False
        for number in (1, 2):
            watch, feed = Watch(made.app), made.feed()
            await made.until(feed.task.done, feed, called, "the feed ends when DEADLINE is over")
            late |= watch.late(made.deadline)
            busy |= watch.busy(made.deadline)
            await made.ended([feed], called)
            in_time(feed, "quick", called)
            texts = sent(made, "quick")
            expect(feed, called, texts=texts, errors={"silent": "timeout"})
            await made.app.let_go(
                lambda: made.in_flight == 0,
                called=called,
                saw=lambda: f"the feed ended, {made.in_flight} calls are still in flight",
                expected="the call cancelled, its connection let go, while the source is silent",
                look="asyncio.timeout around the call cancels it; asyncio.wait does not",
            )
            if len(made["silent"].calls) < number:
                raise Failed(
                    called=f"{called}; then GET /feed again, PER_SOURCE = 1",
                    saw="no new call to the silent source",
                    expected="a call: the place of the one that was cut is free",
                )
        return "The place was free again as soon as you had hung up, not when the source gave in."

    said = await near_a_deadline(partial(scene, exam, ONE_HANGS, per_source=1), judge)
    if late:
        await expect_in_time(exam, called, busy=busy)
    return said


async def expect_in_time(exam: Exam, called: str, *, busy: bool) -> None:
    """A feed that ended late was made late by a busy machine.

    The clock of the app's loop tells; where it does not, later deadlines do.
    """
    async with scene(exam, ONE_HANGS) as made:
        watch, feed = Watch(made.app), made.feed()
        waits: Callable[[], bool] = lambda: made["silent"].in_flight > 0  # noqa: E731
        await made.until(waits, feed, called, "a call to the silent source", held=True)
        kept = await kept_by_the_loop(made.app, made.deadline, watch, feed.task.done)
    if kept is None or (busy and not kept):  # by another clock, it may be
        await near_a_deadline(partial(scene, exam, ONE_HANGS), partial(ended_in_time, called))
    elif not kept:
        raise too_late(Failed, called)


async def ended_in_time(called: str, made: Scene) -> str:
    watch = Watch(made.app)
    await made.ended([made.feed()], called)
    if watch.late(made.deadline):
        raise too_late(Hurried, called)
    return ""


def too_late(kind: type[Failed], called: str) -> Failed:
    return kind(
        called=called,
        saw="the right lines, and the last one long after DEADLINE was over",
        expected="the feed ends when DEADLINE is over",
        look="DEADLINE as it is, from when the place at the source is yours",
    )


def in_time(feed: Feed, quick: str, called: str) -> None:
    """The source that answers at once did not time out.

    Raises:
        Hurried: it did.
    """
    if (feed.line(quick) or {}).get("error") == "timeout":
        expected = f"the text of {quick!r}, which answers at once"
        raise Hurried(called=called, saw=str(feed), expected=expected)


@criterion("waiting for a free place does not count", points=2)
async def waiting(exam: Exam) -> str:
    called = "three callers, GET /feed, PER_SOURCE = 1; two calls to the source stay silent"
    look = "take the place first, then start the clock: asyncio.timeout inside `async with place`"

    async def judge(made: Scene) -> str:
        source = made["slow"]
        survived: set[int] = set()

        async def last_one_answers(call: Call) -> None:
            if call.number > 0:
                await probes(made.app)
                survived.add(call.number)
            await (call.reply(call.text) if call.number == 2 else silent(call))

        source.script = last_one_answers
        async with made.app.together(3):
            feeds = made.feeds(3)
        await made.until(lambda: all(f.over for f in feeds), feeds, called, "three ends of feeds")
        told = sorted(outcome(feed, source) for feed in feeds)
        if (told, survived) != (["its text", "timeout", "timeout"], {1, 2}):
            raise Hurried(
                called=called,
                saw=f"{len(source.calls)} calls to the source; " + " | ".join(map(str, feeds)),
                expected="three calls, one after the other, each given DEADLINE seconds: two "
                "timeouts, and the text of the third",
                look=look,
            )
        return "The source is given its time, whoever was before. The caller's patience is another."

    await late_but_in_time(exam)
    return await near_a_deadline(partial(scene, exam, {"slow": silent}, per_source=1), judge)


def outcome(feed: Feed, source: Upstream) -> str:
    """What the feed says of the slow source: "its text", or an error, or anything else."""
    line = feed.line("slow") or {}
    text = line.get("text") in [call.text for call in source.calls]
    return "its text" if text else str(line.get("error"))


async def late_but_in_time(exam: Exam) -> None:
    """A source that is silent for long, but not until the deadline, has its text in the feed.

    Nobody waits for that: the clock of the app's loop is put forward.
    """
    async with scene(exam, {"slow": None, "quick": at_once}, per_source=1) as made:
        silence = ALMOST * PLENTY
        called = (
            f"two callers, GET /feed, PER_SOURCE = 1, DEADLINE = {PLENTY:.0f}, while a source is "
            f"silent for {silence:.0f} s, and then answers"
        )
        feeds = made.feeds(2)
        expected = "the line of the other source, and a call to the one that is silent"
        await made.until(
            lambda: have_lines(feeds, "quick") and made["slow"].in_flight > 0,
            feeds,
            called,
            expected,
            held=True,
        )
        await made.app.settle()
        await made.app.inside("put_forward", seconds=silence)
        await made.app.settle()
        made["slow"].released.set()
        await made.ended(feeds, called)
        for feed in feeds:
            given_up = "error" in (feed.line("slow") or {})
            look = GIVES_UP if given_up else ""
            expect(feed, called, texts=sent(made, "slow", "quick"), look=look)


async def probes(app: App) -> None:
    """Let the app's loop turn: whoever began to wait together with others is over with them."""
    for _ in range(LOOP_TURNS):
        with contextlib.suppress(aiohttp.ClientError):
            await app.call(f"/{secrets.token_hex(6)}")


@criterion("a source that fails is an error, and the others go on", points=2)
async def failures(exam: Exam) -> str:
    scripts = {"slow": None, "broken": fails, "missing": missing}
    errors = {"broken": "error", "missing": "error", "away": "error"}
    called = "GET /feed: one source answers 500, one 404, one is away, one is slow"
    async with scene(exam, scripts, away="away") as made:
        for _ in range(2):
            feed = made.feed()
            await made.until(
                partial(have_lines, [feed], *errors),
                feed,
                called,
                "the lines of those that failed, while the slow one is held",
                "catch what a source raises where that source is asked: a status of 400 or more "
                "raises only when you say raise_for_status()",
                held=True,
            )
            expected = "a call to the slow one, in flight"
            await made.until(lambda: made.in_flight > 0, feed, called, expected, held=True)
            made["slow"].released.set()
            await made.ended([feed], called)
            expect(feed, called, texts=sent(made, "slow"), errors=errors)
            made["slow"].released.clear()
    return "The status was sent long before: in a stream, failures must be told in the stream."


@criterion("a caller who leaves lets go", points=3)
async def leaves(exam: Exam) -> str:
    scripts = {"slow": None, "slower": None, "stuck": begins, "quick": at_once}
    async with scene(exam, scripts) as made:
        called = "a caller of GET /feed who leaves after the first line, sources held"
        feed = made.feed()
        await made.until(
            lambda: feed.line("quick") is not None and made.in_flight == 3,
            feed,
            called,
            "a line, and three calls in flight",
            held=True,
        )
        await leave(made, feed, called)
        made["quick"].script = silent
        called = "a caller of GET /feed who leaves before the first line"
        feed = made.feed()
        expected = "four calls in flight"
        await made.until(lambda: made.in_flight == 4, feed, called, expected, held=True)
        await leave(made, feed, called)
    return "The response was cancelled when its caller left, and the clean-up was not."


async def leave(made: Scene, feed: Feed, called: str) -> None:
    await feed.leave()
    await made.app.let_go(
        lambda: made.in_flight == 0,
        called=called,
        saw=lambda: f"{made.in_flight} calls are still in flight, nobody waits for them",
        expected="all calls let go, while the sources hold them",
        look="`finally` in the generator: cancel the tasks, and await them in "
        "anyio.CancelScope(shield=True), since the response's own cancellation strikes again",
    )


@criterion("the place of a caller who left is free", points=2)
async def places(exam: Exam) -> str:
    scripts = {"slow": None, "quick": at_once}
    async with scene(exam, scripts, capacity=3, per_source=2) as made:
        called = "GET /feed, CAPACITY = 3, PER_SOURCE = 2: three callers, and all leave; twice"
        for _ in range(2):
            feeds = made.feeds(3)
            await made.until(
                partial(have_lines, feeds, "quick"),
                feeds,
                called,
                "three feeds, each with a line",
                "whatever was taken is given back in `finally`, also when the caller leaves",
                held=True,
            )
            await made.until(
                lambda: made.in_flight == 2,
                feeds,
                called,
                "two calls in flight to the slow source",
                "a place at a source is given back in `finally`, also when the caller leaves",
                held=True,
            )
            for feed in reversed(feeds):
                await feed.leave()
            await made.app.let_go(
                lambda: made.in_flight == 0,
                called=called,
                saw=lambda: f"{made.in_flight} calls are still in flight",
                expected="all let go",
            )
            await made.app.settle()
        await fill(made, 3)
    return "Capacity that leaks away is the worst kind of full: nobody is there, nobody gets in."


@criterion("shutdown completes the feeds", points=1)
async def shutdown(exam: Exam) -> str:
    async with scene(exam, {"slow": None, "quick": at_once}) as made:
        called = "shutdown, while two feeds are open"
        feeds = made.feeds(2)
        await made.until(
            lambda: have_lines(feeds, "quick") and made["slow"].in_flight == 2,
            feeds,
            called,
            "two feeds, each with a line",
            held=True,
        )
        stopping = made.app.process.order("stop")
        await port_closed(made, called)
        made["slow"].released.set()
        await made.ended(feeds, called)
        for feed in feeds:
            expect(feed, called, texts=sent(made, "slow", "quick"))
        await made.app.until(stopping.done, called=called, expected="the shutdown ends")
        if not stopping.result()["value"]:
            saw = made.app.last_words() or "an error"
            raise Failed(called=called, saw=saw, expected="a clean shutdown")
    return "New callers were refused, those who were in got their last line."


async def port_closed(made: Scene, called: str) -> None:
    """Wait until a caller is refused, then see that a feed is.

    Callers that come as the port is closed may hear nothing: asyncio forgets their connections.
    """
    probes: list[asyncio.Task[Reply]] = []
    refused: Callable[[], bool] = lambda: any(p.done() and p.exception() for p in probes)  # noqa: E731
    while not refused() and len(probes) < PROBES:
        probes.append(made.app.call(f"/{secrets.token_hex(6)}"))
        await asyncio.sleep(0.05)
    saw: Callable[[], str] = lambda: f"{len(probes)} new callers, none of them refused"  # noqa: E731
    await made.app.until(refused, called=called, saw=saw, expected="new callers are refused")
    late = made.feed()
    await made.until(lambda: late.over, late, called, "new feeds refused")
    if late.status == 200:
        raise Failed(called=called, saw="a new feed was let in", expected="new ones refused")


@criterion("no thread per caller", points=1)
async def threads(exam: Exam) -> str:
    scripts = {"slow": None, "slower": None}
    async with scene(exam, scripts, capacity=MANY, per_source=MANY) as made:
        called = f"{MANY} callers, GET /feed, while both sources hold"
        await made.app.turn(1)
        before = await made.app.threads()
        feeds = made.feeds(MANY)
        expected = f"{2 * MANY} calls in flight"
        await made.until(lambda: made.in_flight == 2 * MANY, feeds, called, expected, held=True)
        there = await made.app.threads()
        more = there - before
        if more > THREADS_FORGIVEN or there > MOST_THREADS:
            raise Failed(
                called=called,
                saw=f"{more} more threads than before, {there} in all",
                expected=f"no thread per caller (up to {THREADS_FORGIVEN} more, and {MOST_THREADS} "
                "in all, are forgiven)",
                look="a plain `def` endpoint, dependency or generator waits in a thread; those of "
                "a pool that was filled before the first caller came count, too",
            )
        for source in made.sources.values():
            source.released.set()
        await made.ended(feeds, called)
    return "Thirty callers waited for sixty calls, and no thread waited with them."


@criterion("memory stays flat", points=1)
async def memory(exam: Exam) -> str:
    async def long_text(call: Call) -> None:
        await call.reply(call.text + FILLER)

    async with scene(exam, {"one": long_text, "two": long_text}) as made:
        await read_feeds(made, FEEDS // 5)
        before = await held_memory(made)
        await read_feeds(made, FEEDS)
        grown = await held_memory(made) - before
        if grown > FLAT:
            raise Failed(
                called=f"GET /feed, {FEEDS} times, {AT_A_TIME} at a time, 400 kB each",
                saw=f"{grown >> 20} MiB more memory than before",
                expected=f"flat: less than {FLAT >> 20} MiB more",
                look="results or tasks that are kept in a list, a dict or a set for good",
            )
    return "Two hundred feeds came and went, and left nothing behind."


async def read_feeds(made: Scene, times: int) -> None:
    for _ in range(times // AT_A_TIME):
        feeds = made.feeds(AT_A_TIME)
        await made.ended(feeds, "GET /feed, again and again")
        for feed in feeds:
            if len(feed.lines) != len(made.sources) or not all("text" in x for x in feed.lines):
                texts = sent(made, *made.sources)
                expect(feed, "GET /feed, again and again", texts=texts)
        await made.app.settle()


async def held_memory(made: Scene) -> int:
    await made.app.inside("collect")
    return made.app.process.memory()


@criterion("starts and stops cleanly", points=1)
async def stops_cleanly(exam: Exam) -> str:
    async with scene(exam, {"one": at_once, "two": at_once}) as made:
        feeds = made.feeds(2)
        await made.ended(feeds, "two callers, GET /feed")
        if not all(source.calls for source in made.sources.values()):
            saw = f"{feeds[0]}, and no call to some sources"
            raise Failed(called="GET /feed", saw=saw, expected="a GET to each source")
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
