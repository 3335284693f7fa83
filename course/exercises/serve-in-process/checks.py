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
    Exam,
    Failed,
    Gone,
    called,
    criterion,
    expect,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NEEDED = "running"
TICK = 0.05
"""Seconds between two looks."""
HELD_TICKS = 40
"""For so long a start-up is held, to see whether the body is entered too early."""
MOST_LOOKS = 100
LOOKS_AT_PORTS = 3
"""One that is guessed may lie by chance where the system's lie."""
LOCALHOST = {"127.0.0.1", "localhost"}
ENTERING = "async with running(app) as url"
LEAVING = "leaving the `async with` block"
TELL_THE_STATE = ("decided", "over", "state")
STATE = {"entered": bool, "url": str, "over": bool, "ended": [object], "chain": [object]}
"""What these functions of `inside.py` give, at least (see `grading.shapes`)."""


class Stay:
    """One `async with running(app)` in the answer's process."""

    def __init__(self, app: App, kind: str) -> None:
        self.app = app
        self.kind = kind
        self.name = secrets.token_hex(8)
        self.text = secrets.token_hex(8)
        self.end = secrets.token_hex(8)
        """Said by the lifespan's shutdown, and known to nobody else."""
        self.port = 0

    async def begin(self) -> None:
        """Begin to enter, in a task of the answer's loop."""
        await self._ask("enter", ENTERING, kind=self.kind, text=self.text, end=self.end)

    async def entered(self) -> None:
        """Wait until the body is entered; look at the URL."""
        state = await self._ask("decided", f"{ENTERING}, {self._about}")
        if not state["entered"]:
            raise Failed(
                called=f"{ENTERING}, {self._about}",
                saw=f"the body was not entered: {state['error']}",
                expected="the body entered, with the server's address",
            )
        self.port = port_of(state["url"])

    @property
    def _about(self) -> str:
        known = {"bare": "an app that knows no lifespan", "demo": "demo_app"}
        return known.get(self.kind, "an app with a lifespan")

    async def state(self) -> dict[str, Any]:
        """What it has come to so far."""
        return await self._ask("state", f"{ENTERING}, while the app's start-up waits")

    async def expect_answer(self, what: str = "GET url, in the body") -> None:
        self.app.callers.port = self.port
        with called(what):
            reply = await self.app.get()
            right = reply.status == 200 and (self.kind == "demo" or reply.json() == self.text)
            expect(right, saw=self.app.with_log(reply), expected="200, from the app given")

    async def leave(self, error: str | None = None) -> dict[str, Any]:
        """End the body, by an exception when `error` is given, and wait until it is left."""
        await self._ask("leave", LEAVING, error=error)
        return await self._ask("over", LEAVING)

    async def open_gate(self) -> None:
        """Let a gated start-up go on."""
        await self._ask("open_gate", f"{ENTERING}, while the app's start-up waits")

    async def _ask(self, what: str, doing: str, **args: Any) -> Any:
        shape = STATE if what in TELL_THE_STATE else object
        order = self.app.begin_inside(what, shape, name=self.name, **args)
        try:
            with called(doing):
                await self.app.until(
                    order.done,
                    "it comes back, and the surrounding loop goes on turning",
                    saw=lambda: "nothing happens any more",
                    look="what blocks the loop, or waits for something that does not come",
                )
            return order.result()["value"]
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


def port_of(url: str) -> int:
    """The port of an address that `running` yielded."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname in LOCALHOST and parts.port:
            return parts.port
    raise Failed(
        called=ENTERING, saw=f"url = {url[:100]}", expected="a URL such as http://127.0.0.1:54321"
    )


def expect_systems_choice(port: int) -> None:
    """The port lies where the system takes those from that it chooses, as far as that is known."""
    ranges = port_ranges()
    if ranges and not any(low <= port <= high for low, high in ranges):
        low, high = ranges[-1]
        raise Failed(
            called=ENTERING,
            saw=f"port {port}",
            expected=f"a port that the system chose, from {low} to {high}: any other may be taken",
            look="bind port 0, which means any free port, and ask the socket which it became",
        )


def port_ranges() -> list[tuple[int, int]]:
    """Where Linux takes ports from: in a network as it is made, and in this machine's own."""
    try:
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    except OSError:
        return []
    return [(int(low), int(high)), (32768, 60999)]


@contextlib.asynccontextmanager
async def loaded(exam: Exam) -> AsyncIterator[App]:
    """A fresh process with the answer executed, in a loop that runs."""
    async with exam.run() as app:
        await app.load()
        yield app


async def entered(app: App, kind: str = "lifespan") -> Stay:
    stay = Stay(app, kind)
    await stay.begin()
    await stay.entered()
    return stay


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
    async with loaded(exam) as app:
        for _ in range(LOOKS_AT_PORTS):
            stay = await entered(app, "demo")
            expect_systems_choice(stay.port)
        await stay.expect_answer()
        with called(ENTERING):
            elsewhere = sorted(app.listens_at() - {"127.0.0.1", "::1"})
            expect(
                not elsewhere,
                saw=f"sockets that accept connections at {', '.join(elsewhere)}",
                expected="loopback only: 127.0.0.1",
                look='host="127.0.0.1"; 0.0.0.0 and :: open the app to the whole network',
            )
        if await connects(app, "127.0.0.2", stay.port):  # only who listens everywhere hears this
            raise Failed(
                called="a connection to another address of this machine",
                saw="accepted",
                expected="refused: the server listens on 127.0.0.1 only",
                look='host="127.0.0.1"; 0.0.0.0 opens the app to the whole network',
            )
    async with loaded(exam) as app:
        with app.blank_socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):  # taken by another already: all the better
                taken.bind(("127.0.0.1", stay.port))
                taken.listen()
            again = Stay(app, "demo")
            await again.begin()
            await again.entered()
            if again.port == stay.port:
                raise Failed(
                    called=f"{ENTERING}, while port {stay.port} is taken",
                    saw=f"port {again.port} again",
                    expected="a port that is free",
                    look="port 0 means any free port: bind it, then ask the socket which it became",
                )
            await again.expect_answer()
    return "Port 0 cannot be taken, and nobody outside this machine can call."


@criterion("two apps at the same time", points=1)
async def two_apps(exam: Exam) -> str:
    async with loaded(exam) as app:
        stays = [Stay(app, "lifespan"), Stay(app, "lifespan")]
        for stay in stays:
            await stay.begin()
        for stay in stays:
            await stay.entered()
        for stay in stays:
            await stay.expect_answer("GET url, each of two apps")
        late = await entered(app)
        await late.expect_answer("GET url of one more app, entered later")
        await late.leave()
        await stays[0].leave()
        await stays[1].expect_answer("GET url of the second app, after the first was left")
        await stays[1].leave()
    return "Nothing is shared between two servers but the process."


@criterion("entered only when it answers", points=1)
async def entered_when_it_answers(exam: Exam) -> str:
    async with loaded(exam) as app:
        stay = Stay(app, "gated")
        await stay.begin()
        for _ in range(HELD_TICKS):
            if (await stay.state())["entered"]:
                raise Failed(
                    called=f"{ENTERING}, while the app's start-up waits",
                    saw="the body was entered",
                    expected="not before the server answers",
                    look="wait for server.started; a fixed sleep is a guess",
                )
            await asyncio.sleep(TICK)
        await stay.open_gate()
        await stay.entered()
        await stay.expect_answer()
    return "Whoever enters the body may call at once, however long the start-up took."


@criterion("the surrounding loop goes on turning", points=1)
async def loop_turns(exam: Exam) -> str:
    async with loaded(exam) as app:
        stay = Stay(app, "gated")
        await stay.begin()
        await stay.state()
        await stay.open_gate()  # by the surrounding loop: a blocked one would wait for ever
        await stay.entered()
        for _ in range(LOOP_TURNS):  # too early is told elsewhere: here the server may begin
            await stay.state()
        await stay.expect_answer()
        await stay.state()
        await stay.leave()
    return "Cell, server and whatever else is on the loop take turns, while it starts, too."


@criterion("a failing start-up comes out", points=2)
async def failing_start(exam: Exam) -> str:
    async with loaded(exam) as app:
        stay = Stay(app, "broken")
        await stay.begin()
        called = f"{ENTERING}, an app whose lifespan raises at start-up"
        state = await stay._ask("decided", called)
        if state["entered"] or not state["over"]:
            raise Failed(called=called, saw="the body was entered", expected="an error instead")
        if [stay.name] not in state["chain"]:
            raise Failed(
                called=called,
                saw=f"{state['error'] or 'no error'}, without the lifespan's own error",
                expected="the lifespan's error, or one that has it as its cause",
                look="uvicorn only logs it. Put a small ASGI app around the given one that keeps "
                "what comes out of it for scope['type'] == 'lifespan'",
            )
        await (await entered(app)).expect_answer("GET url of another app, afterwards")
    return "The reader of the error sees the reason, and the notebook lives on."


@criterion("an app without a lifespan works", points=1)
async def without_lifespan(exam: Exam) -> str:
    async with loaded(exam) as app:
        for kind in ("no lifespan", "bare"):
            stay = await entered(app, kind)
            await stay.expect_answer()
            await stay.leave()
    return 'lifespan="auto" takes an error before start-up for "I know no lifespan".'


@criterion("shut down when left", points=1)
async def shut_down(exam: Exam) -> str:
    async with loaded(exam) as app:
        stay = await entered(app)
        await stay.expect_answer()
        state = await stay.leave()
        if state["error"]:
            raise Failed(called=LEAVING, saw=state["error"], expected="no error")
        await expect_shut(stay, state, LEAVING)
    return "After the block the address is dead, and the app has put its things away."


@criterion("an exception in the body comes out", points=1)
async def body_raises(exam: Exam) -> str:
    async with loaded(exam) as app:
        stay = await entered(app)
        await stay.expect_answer()
        called = "an exception in the body"
        state = await stay.leave(error=stay.text)
        if [stay.text] not in state["chain"]:
            raise Failed(
                called=called,
                saw=state["error"] or "no exception comes out",
                expected="the same exception comes out",
                look="try: yield … finally: clean up, without except",
            )
        await expect_shut(stay, state, called)
    return "finally, not good luck: what was started is stopped, whatever happens in between."


async def expect_shut(stay: Stay, state: dict[str, Any], called: str) -> None:
    """The lifespan's shutdown has run, and the port refuses."""
    if stay.end not in state["ended"]:
        raise Failed(
            called=called,
            saw="the lifespan's shutdown has not run",
            expected="it has run before the block is left",
            look="server.should_exit = True, then wait for serve() to end; cancelling skips it",
        )
    if await connects(stay.app, "127.0.0.1", stay.port):
        raise Failed(
            called=f"a connection to the port, after {called}",
            saw="accepted",
            expected="refused",
            look="close the socket that you bound, and wait until the server has closed its own",
        )


@criterion("starts and stops cleanly", points=1)
async def stops_cleanly(exam: Exam) -> str:
    async with loaded(exam) as app:
        for error in (None, "the body's error"):
            stay = await entered(app)
            await stay.expect_answer()
            await stay.leave(error)
        await expect_no_tasks(app)
        await app.end()
        with called(LEAVING):
            await app.until(
                lambda: app.threads_left() == 0,
                "no thread and no child process runs",
                saw=lambda: f"{app.threads_left()} threads left, those of children included",
                look="a thread ends when its loop does: should_exit, then join it without blocking",
            )
    return "No thread, no task, no port: the next cell starts from nothing."


async def expect_no_tasks(app: App) -> None:
    for _ in range(MOST_LOOKS):
        left = await app.inside("tasks_left", [str])
        if not left:
            return
        await asyncio.sleep(TICK)
    raise Failed(
        called=LEAVING,
        saw=f"tasks still there: {', '.join(left)[:300]}",
        expected="none",
        look="await the task of serve() after should_exit = True",
    )
