"""What is graded in `serve-in-process`: a server that lives as long as an `async with` block."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from unblocked.grading.checks import (
    LOOP_TURNS,
    AnswerError,
    App,
    Call,
    Exam,
    Failed,
    Gone,
    called,
    criterion,
    expect,
    expect_no_threads,
    expect_reply,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NEEDED = "running"
TICK = 0.05
"""Seconds between two looks."""
HELD_TICKS = 40
"""For so long a start-up is held, to see whether the body is entered too early."""
LEAVING_TICKS = 6
"""For so long a shutdown is held, to see whether the block is left too early."""
MOST_LOOKS = 100
LOOKS_AT_PORTS = 3
"""One that is guessed may lie by chance where the system's lie."""
LOCALHOST = {"127.0.0.1", "localhost"}
ENTERING = "async with running(app) as url"
LEAVING = "leaving the `async with` block"
BY_AN_ERROR = "leaving the `async with` block by an exception in the body"
ABOUT = {"bare": "an app that knows no lifespan", "demo": "demo_app"}
LOOPBACK = 'host="127.0.0.1"; 0.0.0.0 and :: open the app to the whole network'
ANY_FREE = "port 0 means any free port: bind it, then ask the socket which it became"
IN_PROCESS = "the app is served by another process: a task or a thread of this one is asked for"
STATE = {"entered": bool, "url": str, "over": bool, "chain": [object]}
"""What these functions of `inside.py` give, at least (see `grading.shapes`)."""


class Stay:
    """One `async with running(app)` in the answer's process, and what its app is told to do."""

    def __init__(self, app: App, kind: str, raises: str = "") -> None:
        self.app, self.kind, self.raises = app, kind, raises
        self.name, self.text = secrets.token_hex(8), secrets.token_hex(8)
        self.may_start, self.may_end = asyncio.Event(), asyncio.Event()
        self.may_start.set()
        self.ending = self.ended = False
        """How far the app's shutdown is."""
        self.port = 0

    async def tell(self, call: Call, what: str) -> None:
        """Say to the app what it asks for: its text, how to start, and when its shutdown ends."""
        if what == "text":
            await call.reply(self.text)
        elif what == "start":
            await self.may_start.wait()
            await call.reply(self.raises)
        else:
            self.ending = True
            await self.may_end.wait()
            await call.reply("")
            self.ended = True

    async def begin(self) -> Stay:
        """Begin to enter, in a task of the answer's loop."""
        orders = f"{self.app.upstreams[0].url}/{self.name}"
        await self.ask("enter", ENTERING, kind=self.kind, orders=orders)
        return self

    async def entered(self) -> Stay:
        """Wait until the body is entered; look at the URL."""
        doing = f"{ENTERING}, {ABOUT.get(self.kind, 'an app with a lifespan')}"
        state = await self.ask("decided", doing)
        saw = f"the body was not entered: {state['error']}"
        with called(doing):
            expect(state["entered"], saw=saw, expected="the body, with the server's address")
        self.port = port_of(state["url"])
        return self

    async def state(self, doing: str) -> dict[str, Any]:
        """What it has come to so far; the surrounding loop has to say so."""
        found: dict[str, Any] = await self.ask("state", doing)
        return found

    async def expect_answer(self, what: str = "GET url, in the body") -> None:
        self.app.callers.port = self.port
        with called(what):
            wanted: dict[str, Any] = {} if self.kind == "demo" else {"json": self.text}
            expected = "200, from the app given"
            expect_reply(self.app, await self.app.get(), expected=expected, **wanted)

    async def leave(self, error: str | None = None) -> dict[str, Any]:
        """End the body, by an exception when `error` is given, and wait until it is left.

        The app's shutdown is held for a while first: who waits for it is still there afterwards.
        """
        with called("the body, before it is left"):
            expect(
                not self.ending,
                saw="the lifespan's shutdown runs already",
                expected="the app lives for as long as the block lasts",
                look="an error in what you put around the app ends its lifespan",
            )
        await self.ask("leave", LEAVING, error=error)
        over = self.app.begin_inside("over", STATE, name=self.name)
        with called(LEAVING):
            await self.app.until(lambda: over.done() or self.ending, "the app's shutdown runs")
        for _ in range(LEAVING_TICKS):
            if not over.done():
                await asyncio.sleep(TICK)
        waited = not over.done()
        self.may_end.set()
        return await self.told(over, LEAVING) | {"waited": waited}

    async def expect_shut(self, state: dict[str, Any], doing: str) -> None:
        """The lifespan's shutdown had run when the block was left, and the port refuses."""
        with called(doing):
            saw = "it has not run"
            if self.ending:
                saw = "the block was left while it ran" if self.ended else "it was interrupted"
            expect(
                state["waited"] and self.ended,
                saw=f"the lifespan's shutdown: {saw}",
                expected="it has run before the block is left",
                look="server.should_exit = True, then wait for serve() to end; cancelling skips it",
            )
        with called(f"a connection to the port, after {doing}"):
            expect(
                not await connects(self.app, "127.0.0.1", self.port),
                saw="accepted",
                expected="refused",
                look="close the socket that you bound; wait until the server has closed its own",
            )

    async def ask(self, what: str, doing: str, **args: Any) -> dict[str, Any]:
        """Call this function of `inside.py`; fails where the answer's loop or process ended."""
        shape = STATE if what in ("decided", "over", "state") else object
        return await self.told(self.app.begin_inside(what, shape, name=self.name, **args), doing)

    async def told(self, order: asyncio.Future[dict[str, Any]], doing: str) -> dict[str, Any]:
        """Wait for what a function of `inside.py` tells: one at a time may be called."""
        try:
            with called(doing):
                await self.app.until(
                    order.done,
                    "it comes back, and the surrounding loop goes on turning",
                    saw=lambda: "nothing happens any more",
                    look="what blocks the loop, or waits for something that does not come",
                )
            value: dict[str, Any] = order.result()["value"]
            return value
        except (Gone, AnswerError) as end:  # which of the two, the moment decides
            if isinstance(end, AnswerError) and not str(end).startswith("CancelledError"):
                raise
            raise Failed(
                called=doing,
                saw=f"the process ended. {end}".strip(" :"),
                expected="the surrounding loop lives on",
                look="uvicorn leaves by SystemExit when a start-up fails, also for a port that is "
                "taken; in a task it ends the whole loop",
            ) from end


class Stays:
    """All stays of a run, each of which has its own part of the upstream that tells the apps."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.all: dict[str, Stay] = {}

    def of(self, call: Call) -> tuple[Stay, str] | None:
        """Whose app asks, and what; None for a call that no app in this process makes."""
        name, _, rest = call.path[1:].partition("/")
        where, _, what = rest.partition("/")
        stay = self.all.get(name)
        known = where == "in-process" and what in ("start", "text", "end")
        return (stay, what) if stay and known else None

    async def tell(self, call: Call) -> None:
        asked = self.of(call)
        assert asked
        await asked[0].tell(call, asked[1])
        self.app.moved()

    def new(self, kind: str = "lifespan", raises: str = "") -> Stay:
        stay = Stay(self.app, kind, raises)
        self.all[stay.name] = stay
        return stay

    async def entered(self, kind: str = "lifespan") -> Stay:
        return await (await self.new(kind).begin()).entered()


@contextlib.asynccontextmanager
async def loaded(exam: Exam) -> AsyncIterator[Stays]:
    """A fresh process with the answer executed, in a loop that runs."""
    async with exam.run() as app:
        stays = Stays(app)
        upstream = await app.upstream(stays.tell, expects=lambda call: bool(stays.of(call)))
        upstream.look_at_others = IN_PROCESS
        await app.load()
        yield stays


def port_of(url: str) -> int:
    """The port of an address that `running` yielded."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname in LOCALHOST and parts.port:
            return parts.port
    raise Failed(
        called=ENTERING,
        saw=f"url = {url[:100]}",
        expected="a URL such as http://127.0.0.1:54321",
        look='yield f"http://127.0.0.1:{port}", with the port that the socket has got',
    )


def expect_systems_choice(port: int) -> None:
    """The port lies where Linux takes those from that it chooses, as far as that is known.

    In a network as it is made, or in this machine's own.
    """
    with contextlib.suppress(OSError):
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
        with called(ENTERING):
            expect(
                int(low) <= port <= int(high) or 32768 <= port <= 60999,
                saw=f"port {port}",
                expected="one that the system chose, from 32768 to 60999: any other may be taken",
                look=ANY_FREE,
            )


async def connects(app: App, host: str, port: int) -> bool:
    """Whether somebody listens there, in the answer's network."""
    with app.blank_socket() as sock:
        sock.setblocking(False)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, (host, port)), 10)
        except OSError:  # refused, or no such address; a TimeoutError, too
            return False
    return True


@criterion("loopback only, on a port the system chooses", points=1)
async def loopback_only(exam: Exam) -> str:
    async with loaded(exam) as stays:
        for _ in range(LOOKS_AT_PORTS):
            stay = await stays.entered("demo")
            expect_systems_choice(stay.port)
        await stay.expect_answer()
        elsewhere = sorted(stays.app.listens_at() - {"127.0.0.1", "::1"})
        if await connects(stays.app, "127.0.0.2", stay.port):  # where the system does not tell
            elsewhere = elsewhere or ["0.0.0.0"]
        with called(ENTERING):
            saw = f"sockets that accept connections at {', '.join(elsewhere)}"
            expect(not elsewhere, saw=saw, expected="loopback only: 127.0.0.1", look=LOOPBACK)
    async with loaded(exam) as stays:
        with stays.app.blank_socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):  # taken by another already: all the better
                taken.bind(("127.0.0.1", stay.port))
                taken.listen()
            again = await stays.entered("demo")
            with called(f"{ENTERING}, while port {stay.port} is taken"):
                free = again.port != stay.port
                expect(free, saw="this port again", expected="one that is free", look=ANY_FREE)
            await again.expect_answer()
    return "Port 0 cannot be taken, and nobody outside this machine can call."


@criterion("two apps at the same time", points=1)
async def two_apps(exam: Exam) -> str:
    async with loaded(exam) as stays:
        both = [await stays.new().begin(), await stays.new().begin()]
        for stay in both:
            await stay.entered()
        for stay in both:
            await stay.expect_answer("GET url, each of two apps")
        late = await stays.entered()
        await late.expect_answer("GET url of one more app, entered later")
        await late.leave()
        await both[0].leave()
        await both[1].expect_answer("GET url of the second app, after the first was left")
        await both[1].leave()
    return "Nothing is shared between two servers but the process."


@criterion("entered only when it answers", points=1)
async def entered_when_it_answers(exam: Exam) -> str:
    async with loaded(exam) as stays:
        stay, waiting = stays.new(), f"{ENTERING}, while the app's start-up waits"
        stay.may_start.clear()
        await stay.begin()
        with called(waiting):
            for _ in range(HELD_TICKS):
                expect(
                    not (await stay.state(waiting))["entered"],
                    saw="the body was entered",
                    expected="not before the server answers",
                    look="wait for server.started; a fixed sleep is a guess",
                )
                await asyncio.sleep(TICK)
        stay.may_start.set()
        await (await stay.entered()).expect_answer()
    return "Whoever enters the body may call at once, however long the start-up took."


@criterion("the surrounding loop goes on turning", points=1)
async def loop_turns(exam: Exam) -> str:
    async with loaded(exam) as stays:
        await stays.app.watch()
        stay, waiting = stays.new(), f"{ENTERING}, while the app's start-up waits"
        stay.may_start.clear()
        await stay.begin()
        for _ in range(LOOP_TURNS):  # too early is told elsewhere: here the server may begin
            await stay.state(waiting)
        stay.may_start.set()
        await (await stay.entered()).expect_answer()
        await stay.ask("leave", LEAVING)
        for _ in range(LOOP_TURNS):  # a shutdown that is waited for by blocking holds the loop
            await stay.state(f"{LEAVING}, while the app's shutdown waits")
            await asyncio.sleep(TICK / LOOP_TURNS)
        stay.may_end.set()
        await stay.ask("over", LEAVING)
        with called(f"{ENTERING}, from the beginning to the end"):
            # A thread that has said that it is over may be joined; one that goes on is seen above.
            blocking = [said for said in stays.app.blocking if "Thread.join" not in said]
            expected = "nothing that blocks the loop's thread"
            look = "await asyncio.sleep(…), or asyncio.to_thread for what blocks"
            expect(not blocking, saw="; ".join(blocking), expected=expected, look=look)
    return "Cell, server and whatever else is on the loop take turns, from start-up to shutdown."


@criterion("a failing start-up comes out", points=2)
async def failing_start(exam: Exam) -> str:
    async with loaded(exam) as stays:
        doing = f"{ENTERING}, an app whose lifespan raises at start-up"
        stay = await stays.new(raises=secrets.token_hex(8)).begin()
        state = await stay.ask("decided", doing)
        with called(doing):
            out = state["over"] and not state["entered"]
            expect(out, saw="the body was entered", expected="an error instead")
            expect(
                [stay.raises] in state["chain"],
                saw=f"{state['error'] or 'no error'}, without the lifespan's own error",
                expected="the lifespan's error, or one that has it as its cause",
                look="uvicorn only logs it. Put a small ASGI app around the given one that keeps "
                "what comes out of it for scope['type'] == 'lifespan'",
            )
        await (await stays.entered()).expect_answer("GET url of another app, afterwards")
    return "The reader of the error sees the reason, and the notebook lives on."


@criterion("an app without a lifespan works", points=1)
async def without_lifespan(exam: Exam) -> str:
    async with loaded(exam) as stays:
        for kind in ("no lifespan", "bare"):
            stay = await stays.entered(kind)
            await stay.expect_answer()
            await stay.leave()
    return 'lifespan="auto" takes an error before start-up for "I know no lifespan".'


@criterion("shut down when left", points=1)
async def shut_down(exam: Exam) -> str:
    async with loaded(exam) as stays:
        stay = await stays.entered()
        await stay.expect_answer()
        state = await stay.leave()
        with called(LEAVING):
            expect(not state["error"], saw=state["error"], expected="no error")
        await stay.expect_shut(state, LEAVING)
    return "After the block the address is dead, and the app has put its things away."


@criterion("an exception in the body comes out", points=1)
async def body_raises(exam: Exam) -> str:
    async with loaded(exam) as stays:
        stay = await stays.entered()
        await stay.expect_answer()
        state = await stay.leave(error=stay.text)
        with called(BY_AN_ERROR):
            expect(
                [stay.text] in state["chain"],
                saw=state["error"] or "no exception comes out",
                expected="the same exception comes out",
                look="try: yield … finally: clean up, without except",
            )
        await stay.expect_shut(state, BY_AN_ERROR)
    return "finally, not good luck: what was started is stopped, whatever happens in between."


@criterion("starts and stops cleanly", points=1)
async def stops_cleanly(exam: Exam) -> str:
    async with loaded(exam) as stays:
        for kind, error in (("lifespan", None), ("lifespan", "the body's error"), ("bare", None)):
            stay = await stays.entered(kind)
            await stay.expect_answer()
            await stay.leave(error)
        await expect_no_tasks(stays.app)
        with called(LEAVING):
            look = "a thread ends when its loop does: should_exit, then join it without blocking"
            await expect_no_threads(stays.app, look=look)
    return "No thread, no task, no port: the next cell starts from nothing."


async def expect_no_tasks(app: App) -> None:
    for _ in range(MOST_LOOKS):
        if not (left := await app.inside("tasks_left", [str])):
            return
        await asyncio.sleep(TICK)
    raise Failed(
        called=LEAVING,
        saw=f"tasks still there: {', '.join(left)[:300]}",
        expected="none",
        look="await the task of serve() after should_exit = True",
    )
