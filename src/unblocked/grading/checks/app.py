"""An answer's app as a check has it: started and stopped, called, and watched from outside.

It waits for what must happen, and gives up only when nothing moves any more (`waiting.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import time
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL as Url

from unblocked.grading.checks.upstream import Upstream, at_once, size_of, turns_of_an_accept
from unblocked.grading.checks.waiting import (
    ALLOWANCE,
    IDLE,
    IDLE_TICKS,
    QUIET_TICKS,
    TICK,
    Patience,
    Tick,
    nothing,
)
from unblocked.grading.sandbox import processes, shapes
from unblocked.grading.sandbox.run import AnswerError, Gone
from unblocked.grading.sandbox.slots import Rank

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from unblocked.grading.checks.exam import Exam
    from unblocked.grading.checks.upstream import Call
    from unblocked.grading.sandbox.run import AnswerRun
    from unblocked.grading.sandbox.shapes import Shape
    from unblocked.grading.sandbox.slots import Slot

STARVED = 1.0
"""Seconds late for a tick: the machine was too busy for anything seen since to be trusted."""
KEPT_WAITING = 2.0
"""Seconds that an answer waited for a core: its own timeouts may have struck for no fault of it."""
KEPT_IN_FLIGHT = 4.0
"""Seconds that a call was in flight: the five that HTTPX has by itself may have struck."""
MOST_BODY = 16 << 20
"""Bytes of a reply after which it is not read any further."""
MOST_KEPT = 64 << 20
"""Bytes of all replies of a run, headers included, after which none is read any further."""
LOOP_TURNS = 20
"""Turns of the loop that are enough for all that an app does by itself, if it cannot be seen."""
CALM_TURNS = 5
"""Turns in a row after which it may only be seen asleep, until it has nothing left to do."""
MOST_TURNS = 200
SHORTLY = 0.001
"""Seconds between two looks at an answer that has just done something."""
LOOKS = 5
"""The first sees that it ran, the second it going to sleep, the third that it sleeps; the last that
it still does when all that it has sent has been taken, and once more where something had come."""


class TooLong(Exception):
    """A reply that nobody would read to its end."""


class Failed(Exception):
    """A criterion that is not met: what was called, seen and expected, and where to look next."""

    def __init__(
        self,
        *,
        called: str,
        saw: str,
        expected: str,
        look: str = "",
        stuck: bool = False,
        certain: bool = True,
    ) -> None:
        self.called, self.saw, self.expected, self.look = called, saw, expected, look
        self.stuck = stuck
        """Whether nothing moved any more, rather than a wrong thing being seen."""
        self.certain = certain
        """Whether another look cannot show anything else: not so when patience ran out."""
        lines = [f"Called: {called}", f"Saw: {saw}", f"Expected: {expected}"]
        super().__init__("\n".join([*lines, f"Look at: {look}"] if look else lines))


@dataclass(frozen=True)
class Reply:
    """What a caller got back."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    broken: bool = False
    """The body ended before it was complete."""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        """The body's lines, split at newlines only."""
        return self.text.removesuffix("\n").split("\n")

    def json(self) -> Any:
        """The body as JSON, or None when it is none, or nested too deep."""
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(self.body)
        return None

    def __str__(self) -> str:
        return f"{self.status} with {self.text[:120]!r}"


@dataclass
class App:
    """The answer in its process: started and stopped, called, and watched from outside."""

    process: AnswerRun
    stack: contextlib.AsyncExitStack
    exam: Exam
    slot: Slot
    starved: bool = False
    stopped: bool = False
    """Whether it was told to stop serving."""
    served_before: bool = False
    """Whether another criterion was judged by it, so that its threads, say, may be of then."""
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._moved = asyncio.Event()
        self.process.pulse = self._moved.set
        self.stack.push_async_callback(self._end_callers)
        self.hurried = False
        """Whether nothing much hangs on what is waited for."""
        self.lull = 0.0
        """Seconds of quiet that the exercise itself asks for: patience comes on top of them."""
        self.receive_buffer: int | None = None
        """Bytes that the system may keep for a caller that does not read."""
        self._sessions: dict[tuple[int | None, int], aiohttp.ClientSession] = {}
        self._callers = weakref.WeakSet[socket.socket]()
        self._kept = 0
        self._crowds = 0
        self._sent = 0
        self._unsent: set[int] = set()
        self.port = 0
        self._upstreams: list[Upstream] = []

    @property
    def patience(self) -> int:
        """Quiet ticks after which a wait is given up."""
        return IDLE_TICKS if self.hurried else self.exam.patience

    @property
    def was_starved(self) -> bool:
        """Whether the answer, or we, had to wait too long for a core, or may have."""
        kept = any(upstream.longest > KEPT_IN_FLIGHT for upstream in self._upstreams)
        return self.starved or kept or self.waited_for_cpu() > KEPT_WAITING

    def waited_for_cpu(self) -> float:
        """Seconds for which the answer's process was ready to run, and others had the cores."""
        return processes.waited_for_cpu(self.process.pid)

    async def send_away(self) -> bool:
        """Let all callers leave that are still there; whether any left without an answer."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        unanswered = any(task.cancelled() for task in self.tasks)
        self.tasks.clear()
        return unanswered

    async def _end_callers(self) -> None:
        async with contextlib.AsyncExitStack() as sessions:
            for session in self._sessions.values():
                sessions.push_async_callback(session.close)
            await self.send_away()

    # --- before and after ----------------------------------------------------------------------

    async def upstream(
        self,
        script: Callable[[Call], Awaitable[None]] = at_once,
        *,
        text_size: int = 400,
        send_buffer: int = 64 << 10,
    ) -> Upstream:
        """A new upstream within the answer's reach; its responses have `text_size` characters."""
        made = Upstream(
            self.process.blank_socket(),
            script,
            self._moved.set,
            text_size=text_size,
            send_buffer=send_buffer,
        )
        upstream = await self.stack.enter_async_context(made)
        self._upstreams.append(upstream)
        return upstream

    def unreachable(self) -> str:
        """An address in the answer's network at which nobody listens."""
        sock = self.process.blank_socket()
        sock.bind(("127.0.0.1", 0))
        self.stack.callback(sock.close)
        return f"http://127.0.0.1:{sock.getsockname()[1]}"

    def bind(self, **names: Any) -> None:
        """Names that the answer finds bound."""
        self.process.bindings.update(names)

    async def load(self) -> None:
        """Execute the answer; raises `AnswerError`, `Gone` or `TimeoutError`."""
        allowance = self.exam.allowance
        try:
            with allowance.charged():
                await self.process.load(max(1.0, allowance.left))
        except (AnswerError, Gone, TimeoutError) as error:
            self.exam.first_load.failed(self.process, error)
            raise
        self.exam.first_load.over = True

    async def start(self, *, load: bool = True) -> None:
        """Execute the answer (unless told not to) and start its app with uvicorn."""
        if load:
            await self.load()
        started = self.process.order("start")
        self.port = int((await self._ordered(started, "the app to start"))["value"])
        if self.port in {upstream.port for upstream in self._upstreams}:
            raise Failed(called="start", saw="the upstream's port", expected="a port of the app's")

    async def stop(self) -> None:
        """Stop the app as uvicorn does: no new connections, lifespan shutdown.

        Raises:
            Failed: the shutdown does not end, or raises.
        """
        self.stopped = True
        message = await self._ordered(self.process.order("stop"), "the app to shut down")
        if not message["value"]:
            raise Failed(
                called="shutdown", saw=self.last_words() or "an error", expected="a clean shutdown"
            )

    async def end(self) -> None:
        """Close the event loop, so that only threads nobody waited for are left."""
        self.process.order("end")
        await self._ordered(self.process.wait_for("ended"), "the event loop to close")

    async def inside(self, name: str, shape: Shape = object, /, **args: Any) -> Any:
        """Call a function of `grading.inside` or of the room's `inside.py` in the process.

        Raises:
            Gone: what it gives does not have the shape that is known, or that is given here.
        """
        shape = shapes.OF_CALLS.get(name, shape)
        order = self.process.order("call", shape=shape, name=name, args=args)
        return (await self._ordered(order, f"{name}() to come back"))["value"]

    async def _ordered(self, order: asyncio.Future[Any], expected: str) -> Any:
        await self.until(order.done, called="the answer's process", expected=expected)
        return order.result()

    # --- waiting -------------------------------------------------------------------------------

    async def until(
        self,
        condition: Callable[[], bool],
        *,
        called: str,
        expected: str,
        saw: Callable[[], str] | None = None,
        look: str = "",
        calls: Iterable[asyncio.Task[Reply]] = (),
    ) -> None:
        """Wait until the condition holds.

        Raises:
            Failed: one of `calls` ended too early, or all is quiet and it still does not hold.
        """
        patience = Patience(self)
        try:
            while not condition() and not patience.over and not self.process.gone.is_set():
                for call in calls:
                    if call.done():
                        await self._too_early(call, called, expected, look)
                patience.count(await self._tick())
        finally:
            await patience.end()
        if condition():
            return
        if self.process.gone.is_set():
            raise Gone(self.last_words())
        seen = saw() if saw else "nothing moves any more"
        if patience.spent:
            seen += f"; all the time that an answer may take, {ALLOWANCE:.0f} s, is used up"
        raise Failed(
            called=called,
            saw=self.with_log(seen),
            expected=expected,
            look=look,
            stuck=True,
            certain=patience.in_vain,
        )

    @contextlib.contextmanager
    def by_the_way(self) -> Iterator[None]:
        """Give waits up early, and go on: what fails here, other criteria are about.

        They will wait for it in vain, so it is their turn before that of answers without a failure.
        """
        self.hurried, token = True, IDLE.set(nothing)
        try:
            yield
        except Failed:
            self.slot.rank = Rank.FAILING
        finally:
            IDLE.reset(token)
            self.hurried = False

    async def _tick(self) -> Tick:
        self._moved.clear()
        begun = time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK):
                await self._moved.wait()
        tick = Tick(self._moved.is_set(), time.monotonic() - begun - TICK)
        self.starved |= tick.late > STARVED
        return tick

    async def _too_early(
        self, call: asyncio.Task[Reply], called: str, expected: str, look: str
    ) -> None:
        await self._log_settles()
        saw = "no answer" if call.cancelled() or call.exception() else f"answer {call.result()}"
        raise Failed(
            called=called, saw=self.with_log(f"{saw}, too early"), expected=expected, look=look
        )

    def with_log(self, saw: object) -> str:
        """What was seen, and the last error in the app's log, if there is one."""
        words = self.last_words()
        return f"{saw}; the app's log says {words}" if words else str(saw)

    async def _log_settles(self) -> None:
        """Give the log of an error the time to arrive: it follows the answer, for messages only."""
        for _ in range(LOOP_TURNS):
            if self.last_words() or self.process.gone.is_set() or await self.quiescent():
                return
            await self._tick()

    def last_words(self) -> str:
        """The last error in the app's log, or ''."""
        return self.process.last_words()

    async def turn(self, times: int = LOOP_TURNS) -> None:
        """Let the app's event loop turn: unknown paths asked for, one after the other, answered.

        No more than it takes to see that nothing was left to do in it but to wait, and that it is
        free then.

        Raises:
            Failed: the loop is blocked.
        """
        for _ in range(times):
            quiescent = await self.quiescent()
            await self._probe()
            if quiescent:
                return

    async def _probe(self) -> None:
        await self.get(f"/{secrets.token_hex(6)}", expected="an answer: the loop is free")

    def quiescent_for(self) -> float:
        """For how long (s) nothing will move but by an upstream or a new caller."""
        return 0.0 if self._unsent else self.process.quiescent_for()

    async def quiescent(self) -> bool:
        """Whether nothing moves, nor will without a caller or an upstream."""
        still = False
        for _ in range(LOOKS):
            was, still = still, self.quiescent_for() >= QUIET_TICKS * TICK + self.lull
            if was and still:
                return True
            await (turns_of_an_accept() if still else asyncio.sleep(SHORTLY))
        return False

    async def let_go(self, condition: Callable[[], bool], **told: Any) -> None:
        """Wait, as `until` does, until connections are let go, by an app that goes on serving.

        Raises:
            Failed, Gone: they are not, or they went because the app's process did.
        """
        await self.until(condition, **told)
        await self.turn(1)

    async def settle(self) -> None:
        """Let the app's loop turn until nothing is left to do in it but to wait.

        Raises:
            Failed: the loop is blocked.
        """
        calm = 0
        for _ in range(MOST_TURNS):
            quiescent = await self.quiescent()
            await self._probe()
            if quiescent:
                return
            await asyncio.sleep(TICK / 5)
            calm = calm + 1 if self.process.asleep() else 0
            if calm == CALM_TURNS:
                return

    # --- callers -------------------------------------------------------------------------------

    def _blank(self, _: object) -> socket.socket:
        sock = self.process.blank_socket()
        sock.setblocking(False)
        self._callers.add(sock)
        if self.receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        return sock

    def _session(self) -> aiohttp.ClientSession:
        """An HTTP client of callers, without limits, bodies as they were sent."""
        kind = (self.receive_buffer, self._crowds)
        if kind not in self._sessions:
            connector = aiohttp.TCPConnector(limit=0, socket_factory=self._blank)
            trace = aiohttp.TraceConfig()
            trace.on_request_start.append(self._note_begun)
            trace.on_request_headers_sent.append(self._note_sent)
            trace.on_request_exception.append(self._note_over)
            self._sessions[kind] = aiohttp.ClientSession(
                connector=connector,
                trace_configs=[trace],
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._sessions[kind]

    async def _note_begun(self, _: object, caller: Any, __: object) -> None:
        self._unsent.add(id(caller))

    async def _note_sent(self, _: object, caller: Any, __: object) -> None:
        self._sent += 1
        self._unsent.discard(id(caller))
        self._moved.set()

    async def _note_over(self, _: object, caller: Any, __: object) -> None:
        self._unsent.discard(id(caller))

    def open(self, path: str = "/", **kwargs: Any) -> Any:
        """A caller who reads as it likes: aiohttp's request context, for `async with`."""
        method = kwargs.pop("method", "GET")
        url = Url(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        return self._session().request(method, url, allow_redirects=False, **kwargs)

    def call(self, path: str = "/", **kwargs: Any) -> asyncio.Task[Reply]:
        """A caller on its way."""
        task = asyncio.create_task(self._fetch(path, **kwargs))
        task.add_done_callback(lambda _: self._moved.set())
        self.tasks.append(task)
        return task

    def call_many(self, times: int, path: str = "/") -> list[asyncio.Task[Reply]]:
        """Several callers at once."""
        return [self.call(path) for _ in range(times)]

    @contextlib.asynccontextmanager
    async def together(self, times: int) -> AsyncIterator[None]:
        """So many callers that the block lets begin have sent before the app sees the first one.

        They have connections of their own: an app serves those that it knows a few turns earlier.

        Raises:
            Failed: they cannot send.
        """
        self._crowds += 1
        wanted = self._sent + times
        with self.process.suspended():
            yield
            await self.until(
                lambda: self._sent >= wanted, called=f"{times} callers", expected="all connected"
            )

    async def call_together(self, times: int, path: str = "/") -> list[asyncio.Task[Reply]]:
        """Several callers, all of whose requests are there before the app sees the first one.

        Raises:
            Failed: they cannot be sent.
        """
        async with self.together(times):
            return self.call_many(times, path)

    async def _fetch(self, path: str, **kwargs: Any) -> Reply:
        async with self.open(path, **kwargs) as response:
            body, broken = bytearray(), False
            self._keep(size_of(response.raw_headers))
            try:
                async for piece in response.content.iter_any():
                    body += piece
                    self._moved.set()
                    self._keep(len(piece))
                    if len(body) > MOST_BODY:
                        raise TooLong(f"the answer is longer than {MOST_BODY >> 20} MiB")
            except aiohttp.ClientError:
                broken = True
            return Reply(response.status, response.headers, bytes(body), broken)

    def _keep(self, size: int) -> None:
        """Count what is kept; raises `TooLong` when it is too much."""
        self._kept += size
        if self._kept > MOST_KEPT:
            raise TooLong(f"all answers together are longer than {MOST_KEPT >> 20} MiB")

    async def get(self, path: str = "/", *, expected: str = "an answer", **kwargs: Any) -> Reply:
        """Call and wait for the answer.

        Raises:
            Failed: there is none.
        """
        call = self.call(path, **kwargs)
        return (await self.answers([call], called=f"GET {path}", expected=expected))[0]

    async def answers(
        self, calls: Sequence[asyncio.Task[Reply]], *, called: str, expected: str = "an answer each"
    ) -> list[Reply]:
        """Wait until all these callers have their answer.

        Raises:
            Failed: some get none, or a broken connection.
        """

        def saw() -> str:
            return f"{sum(c.done() for c in calls)} of {len(calls)} answered"

        done = lambda: all(c.done() for c in calls)  # noqa: E731
        await self.until(done, called=called, expected=expected, saw=saw)
        for call in calls:
            if error := call.exception():
                detail = str(error) if isinstance(error, TooLong) else type(error).__name__
                seen = f"no answer ({detail})"
                raise Failed(called=called, saw=self.with_log(seen), expected=expected)
        replies = [c.result() for c in calls]
        if any(reply.status == 500 for reply in replies):
            await self._log_settles()
        return replies

    async def threads(self) -> int:
        """Threads of the answer's process and its children, counted from outside."""
        return processes.threads_with_children(self.process.pid)

    def queued(self, upstream: Upstream) -> int | None:
        """Bytes on their way from the upstream to callers that lie in the system's queues.

        They are in the app's reach and not in its hands. None where the system does not tell.
        """
        live = [sock for sock in self._callers if sock.fileno() >= 0]
        ports = {sock.getsockname()[1] for sock in live}
        return self.process.queued(upstream.port, self.port, ports)
