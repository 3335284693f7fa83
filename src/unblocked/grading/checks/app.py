"""An answer's app as a check has it: started and stopped, called, and watched from outside.

It waits for what must happen, and gives up only when nothing moves any more (`waiting.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from unblocked.grading.checks.blocked import connections_blocked_on
from unblocked.grading.checks.callers import Callers, Reply, TooLong
from unblocked.grading.checks.expect import Failed, called, now_called
from unblocked.grading.checks.upstream import Upstream, at_once, turns_of_an_accept
from unblocked.grading.checks.waiting import (
    ALLOWANCE,
    QUIET_TICKS,
    TICK,
    Allowance,
    Patience,
    Tick,
)
from unblocked.grading.sandbox import processes, shapes
from unblocked.grading.sandbox.run import AnswerError, Gone

if TYPE_CHECKING:
    import socket
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Iterable,
        Sequence,
    )

    import aiohttp

    from unblocked.grading.checks.upstream import Call, Expects
    from unblocked.grading.sandbox.run import AnswerRun
    from unblocked.grading.sandbox.shapes import Shape

STARVED = 1.0
"""Seconds late for a tick: the machine was too busy for anything seen since to be trusted."""
KEPT_WAITING = 2.0
"""Seconds that an answer waited for a core: its own timeouts may have struck for no fault of it."""
KEPT_IN_FLIGHT = 4.0
"""Seconds that a call was in flight: the five that HTTPX has by itself may have struck."""
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
LOOK_EVERY = 0.01
"""Seconds between two looks at what the thread of the answer's loop stands in."""


@dataclass
class FirstLoad:
    """How the first run of an answer executed it: one that cannot be executed is told so once."""

    over: bool = False
    outcome: str = "graded"
    reason: str = ""


@dataclass
class Findings:
    """What is known of one answer from all its runs."""

    allowance: Allowance = field(default_factory=Allowance)
    first_load: FirstLoad = field(default_factory=FirstLoad)
    blocking: dict[str, str] = field(default_factory=dict)
    """Calls that blocked the loop while the app served: a line for each place in the code."""
    note: str = ""
    """What was odd about the answer's cells."""
    out_of_memory: bool = False
    starved: bool = False
    """The machine was too busy to judge by: what failed is worth a second look."""


class App:
    """The answer in its process. Use as `exam.run()` and `exam.serving()` give it."""

    def __init__(
        self, process: AnswerRun, stack: contextlib.AsyncExitStack, findings: Findings
    ) -> None:
        self.process, self.stack, self.findings = process, stack, findings
        self.starved = False
        self.expected_silence = 0.0
        """Seconds of quiet that the exercise itself asks for: patience comes on top of them."""
        self._moved = asyncio.Event()
        self._serving = False
        self._upstreams: list[Upstream] = []
        process.pulse = self._moved.set
        self.callers = Callers(process.blank_socket, self._moved.set)
        stack.push_async_callback(self.callers.close)

    @property
    def was_starved(self) -> bool:
        """Whether the answer, or the marker, waited too long for a core, or may have."""
        kept = any(upstream.longest > KEPT_IN_FLIGHT for upstream in self._upstreams)
        return self.starved or kept or self.waited_for_cpu() > KEPT_WAITING

    def waited_for_cpu(self) -> float:
        """Seconds for which the answer's process was ready to run, and others had the cores."""
        return processes.waited_for_cpu(self.process.pid)

    # --- before and after ----------------------------------------------------------------------

    async def upstream(
        self,
        script: Callable[[Call], Awaitable[None]] = at_once,
        *,
        expects: Expects = "GET /quote",
        text_size: int = 400,
        send_buffer: int = 64 << 10,
    ) -> Upstream:
        """Make an upstream within the answer's reach; its texts have `text_size` characters.

        `expects` says which calls it answers by its script: one "METHOD /path", or a function of
        the call. Any other is answered with 404 or 405 and noted, and fails the criterion.
        """
        made = Upstream(
            self.process.blank_socket(),
            script,
            self._moved.set,
            expects=expects,
            text_size=text_size,
            send_buffer=send_buffer,
        )
        upstream = await self.stack.enter_async_context(made)
        self._upstreams.append(upstream)
        return upstream

    def unreachable(self) -> str:
        """Return an address in the answer's network at which nobody listens."""
        sock = self.process.blank_socket()
        sock.bind(("127.0.0.1", 0))
        self.stack.callback(sock.close)
        return f"http://127.0.0.1:{sock.getsockname()[1]}"

    @contextlib.asynccontextmanager
    async def away(self, upstream: Upstream) -> AsyncIterator[None]:
        """Let an upstream be unreachable for the time of the block."""
        async with upstream.away(self.process.blank_socket()):
            yield

    def bind(self, **names: Any) -> None:
        """Bind names in the answer's module before it is executed."""
        self.process.bindings.update(names)

    async def load(self) -> None:
        """Execute the answer; raises `AnswerError`, `Gone` or `TimeoutError`."""
        allowance, first = self.findings.allowance, self.findings.first_load
        try:
            with allowance.charged():
                await self.process.load(max(1.0, allowance.left))
        except (AnswerError, Gone, TimeoutError) as error:
            if not first.over:
                first.outcome, first.reason = _why_not_executed(self.process, error)
            raise
        finally:
            first.over = True

    async def start(self, *, load: bool = True) -> None:
        """Execute the answer, unless told not to, and start its app with uvicorn."""
        if load:
            await self.load()
        started = self.process.order("start")
        self.callers.port = int((await self._ordered(started, "the app to start"))["value"])
        if self.callers.port in {upstream.port for upstream in self._upstreams}:
            raise Failed(called="start", saw="the upstream's port", expected="a port of the app's")
        self._serving = True

    async def stop(self) -> None:
        """Stop the app as uvicorn does: no new connections, then the lifespan's shutdown.

        Raises:
            Failed: the shutdown does not end, or raises.
        """
        with called("shutdown"):
            stopping = self.begin_to_stop()
            message = await self._ordered(stopping, "the app to shut down")
            if not message["value"]:
                raise Failed(saw=self.last_error() or "an error", expected="a clean shutdown")

    def begin_to_stop(self) -> asyncio.Future[dict[str, Any]]:
        """Tell the app to stop, and do not wait: the future's `value` is whether it went well."""
        self._serving = False
        return self.process.order("stop")

    async def end(self) -> None:
        """Close the event loop, so that only threads nobody waited for are left."""
        self.process.order("end")
        await self._ordered(self.process.wait_for("ended"), "the event loop to close")

    async def watch(self) -> None:
        """Note from now on what blocks the loop, where no app is served that would begin it."""
        await self._ordered(self.process.order("watch"), "the loop to be watched")
        self._serving = True

    @property
    def blocking(self) -> list[str]:
        """What has blocked the loop in this run, a sentence for each place in the code."""
        return list(self.process.blocking.values())

    async def freeze(self) -> None:
        """Stop the clocks of the answer's Python: only `forward` moves them from now on."""
        await self._ordered(self.process.order("freeze"), "the clock to stand still")

    async def forward(self, seconds: float) -> None:
        """Put the clocks of the answer's Python forward, and wait until nothing moves any more.

        Timers of the event loop that are due by then strike at once.
        """
        await self._ordered(self.process.order("forward", seconds=seconds), "the clock to go on")
        await self.settle()

    async def inside(self, name: str, shape: Shape = object, /, **args: Any) -> Any:
        """Call a function of `child/inside.py` or of the room's `inside.py` in the process.

        Raises:
            Gone: what it gives does not have the shape that is known, or that is given here.
        """
        shape = shapes.OF_CALLS.get(name, shape)
        order = self.process.order("call", shape=shape, name=name, args=args)
        return (await self._ordered(order, f"{name}() to come back"))["value"]

    def begin_inside(
        self, function: str, shape: Shape = object, /, **args: Any
    ) -> asyncio.Future[dict[str, Any]]:
        """Call a function as `inside` does, and do not wait: its result is the future's `value`."""
        return self.process.order("call", shape=shape, name=function, args=args)

    def blank_socket(self) -> socket.socket:
        """Return a TCP socket in the answer's network, neither bound nor connected."""
        return self.process.blank_socket()

    async def _ordered(self, order: asyncio.Future[Any], expected: str) -> Any:
        with called("the answer's process"):
            await self.until(order.done, expected)
        return order.result()

    # --- waiting -------------------------------------------------------------------------------

    async def until(
        self,
        condition: Callable[[], object],
        expected: str,
        *,
        saw: Callable[[], str] | None = None,
        look: str = "",
        callers: Iterable[asyncio.Task[Reply]] = (),
    ) -> None:
        """Wait until the condition holds.

        Args:
            expected, saw, look: what a failure says; `saw` is asked when it is known to be one.
            callers: who must not have their reply before.

        Raises:
            Failed: a caller has its reply too early, or all is quiet and it still does not hold.
            Gone: the answer's process has ended.
        """
        patience = Patience(self, self.findings.allowance)
        try:
            while not condition() and not patience.over and not self.process.gone.is_set():
                for caller in callers:
                    if caller.done():
                        await self._too_early(caller, expected, look)
                patience.count(await self._tick())
        finally:
            patience.end()
        if condition():
            return
        if self.process.gone.is_set():
            raise Gone(self.last_error())
        seen = saw() if saw else "nothing moves any more"
        if patience.spent:
            seen += f"; all the time that an answer may take, {ALLOWANCE:.0f} s, is used up"
        raise Failed(
            saw=self.with_log(seen), expected=expected, look=look, certain=patience.in_vain
        )

    async def _tick(self) -> Tick:
        self._moved.clear()
        begun = time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK):
                await self._moved_or_blocked()
        tick = Tick(self._moved.is_set(), time.monotonic() - begun - TICK)
        self.starved |= tick.late > STARVED
        return tick

    async def _moved_or_blocked(self) -> None:
        """Wait for an event, and meanwhile look whether the loop's thread sleeps in a system call.

        An answer can take off what notes this from inside, but not this.
        """
        while not self._moved.is_set():
            if self._serving and (name := self.process.stands_in()):
                sentence = f"the event loop's thread slept in the system call `{name}`"
                self.process.note_blocking(f"system call {name}", sentence)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._moved.wait()

    async def _too_early(self, caller: asyncio.Task[Reply], expected: str, look: str) -> None:
        await self._log_settles()
        gone = caller.cancelled() or caller.exception()
        saw = "no reply" if gone else f"the reply {caller.result()}"
        raise Failed(saw=self.with_log(f"{saw}, too early"), expected=expected, look=look)

    def with_log(self, saw: object) -> str:
        """Return what was seen, and the last error in the app's log, if there is one."""
        words = self.last_error()
        return f"{saw}; the app's log says {words}" if words else str(saw)

    async def _log_settles(self) -> None:
        """Give the log of an error the time to arrive: it follows the reply, for messages only."""
        for _ in range(LOOP_TURNS):
            if self.last_error() or self.process.gone.is_set() or await self.quiescent():
                return
            await self._tick()

    def last_error(self) -> str:
        """Return the last error in the app's log, or ''."""
        return self.process.last_error()

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
            calm = calm + 1 if self.asleep() else 0
            if calm == CALM_TURNS:
                return

    async def _probe(self) -> None:
        with called(f"GET of an unknown path, after {now_called()}"):
            await self.get(f"/{secrets.token_hex(6)}", expected="a reply: the loop is free")

    def asleep(self) -> bool:
        """Return whether no thread of the answer wants the CPU."""
        return self.process.asleep()

    def quiescent_for(self) -> float:
        """Return for how many seconds nothing will move but by an upstream or a new caller."""
        return 0.0 if self.callers.unsent else self.process.quiescent_for()

    async def quiescent(self) -> bool:
        """Return whether nothing moves, nor will without a caller or an upstream."""
        still = False
        for _ in range(LOOKS):
            was, still = still, self.quiescent_for() >= QUIET_TICKS * TICK + self.expected_silence
            if was and still:
                return True
            await (turns_of_an_accept() if still else asyncio.sleep(SHORTLY))
        return False

    # --- callers -------------------------------------------------------------------------------

    def open(self, path: str = "/", **kwargs: Any) -> Any:
        """Return aiohttp's request context for a caller who reads as it likes: `async with`."""
        return self.callers.open(path, **kwargs)

    def call(self, path: str = "/", **kwargs: Any) -> asyncio.Task[Reply]:
        """Start a caller; its task ends with its reply."""
        return self.callers.call(path, **kwargs)

    def reader(
        self, path: str, read: Callable[[aiohttp.ClientResponse], Awaitable[None]]
    ) -> asyncio.Task[None]:
        """Start a caller who reads as `read` does; a connection that breaks ends its task."""
        return self.callers.reader(path, read)

    def moved(self) -> None:
        """Say that something happened: who waits looks again."""
        self._moved.set()

    def call_many(self, times: int, path: str = "/") -> list[asyncio.Task[Reply]]:
        """Start several callers at once."""
        return [self.call(path) for _ in range(times)]

    @contextlib.asynccontextmanager
    async def together(self, times: int) -> AsyncIterator[None]:
        """So many callers that the block lets begin have sent before the app sees the first one.

        They have connections of their own: an app serves those that it knows a few turns earlier.

        Raises:
            Failed: they cannot send.
        """
        self.callers.new_crowd()
        wanted = self.callers.sent + times
        with self.process.suspended():
            yield
            await self.until(lambda: self.callers.sent >= wanted, f"{times} callers connected")

    async def call_together(self, times: int, path: str = "/") -> list[asyncio.Task[Reply]]:
        """Start several callers, all of whose requests are sent before the app sees the first.

        Raises:
            Failed: they cannot be sent.
        """
        async with self.together(times):
            return self.call_many(times, path)

    async def get(self, path: str = "/", *, expected: str = "a reply", **kwargs: Any) -> Reply:
        """Call and wait for the reply.

        Raises:
            Failed: there is none.
        """
        return (await self.replies([self.call(path, **kwargs)], expected))[0]

    async def replies(
        self, callers: Sequence[asyncio.Task[Reply]], expected: str = "a reply each", look: str = ""
    ) -> list[Reply]:
        """Wait until all these callers have their reply.

        Raises:
            Failed: some get none, or a broken connection.
        """

        def saw() -> str:
            return f"{sum(c.done() for c in callers)} of {len(callers)} answered"

        await self.until(lambda: all(c.done() for c in callers), expected, saw=saw, look=look)
        for caller in callers:
            if error := caller.exception():
                detail = str(error) if isinstance(error, TooLong) else type(error).__name__
                raise Failed(saw=self.with_log(f"no reply ({detail})"), expected=expected)
        replies = [c.result() for c in callers]
        if any(reply.status == 500 for reply in replies):
            await self._log_settles()
        return replies

    async def leave(self, caller: asyncio.Task[Reply]) -> None:
        """Let a caller leave, and wait until the app's loop has turned."""
        caller.cancel()
        await asyncio.wait([caller])
        await self.turn()

    # --- seen from outside ---------------------------------------------------------------------

    @property
    def upstreams(self) -> Sequence[Upstream]:
        """All upstreams of this run."""
        return self._upstreams

    async def threads(self) -> int:
        """Return the threads of the answer's process and its children, counted from outside."""
        return processes.threads_with_children(self.process.pid)

    def thread_ids(self) -> frozenset[str]:
        """Return the system's ids of the threads of the answer's process; none but on Linux."""
        return frozenset(processes.tasks(self.process.pid))

    def calls_with_a_thread(self, upstream: Upstream) -> int | None:
        """Return how many calls that the upstream holds have a thread blocked on their connection.

        A thread that sleeps elsewhere is none of them. None where the system does not tell.
        """
        transports = [call.request.transport for call in upstream.live]
        held = [transport for transport in transports if transport and not transport.is_closing()]
        ports = {transport.get_extra_info("peername")[1] for transport in held}
        return connections_blocked_on(self.process.pid, upstream.port, ports)

    def threads_left(self) -> int:
        """Return how many threads and child processes run besides the answer's main thread."""
        return max(0, self.process.threads() - 1)

    def listens_at(self) -> set[str]:
        """Return the addresses at which the answer's processes accept connections.

        Empty where the system does not tell.
        """
        return processes.listening(self.process.pid, self.process.family())

    def memory(self) -> int:
        """Return the resident bytes of the answer's process and its children."""
        return self.process.memory()

    def queued(self, upstream: Upstream) -> int | None:
        """Return the bytes from the upstream to callers that lie in the system's queues.

        They are in the app's reach and not in its hands. None where the system does not tell.
        """
        return self.process.queued(upstream.port, self.callers.port, self.callers.ports())


_SLIPS = (
    (
        "name 'URL|name 'SOURCES|name 'UPSTREAM",
        "names that the exercise gives are bound for you, with exactly the names of the statement",
    ),
    ("^NameError", "the answer's cell must stand alone: put its imports and helpers into it, too"),
    (
        "loop_factory|running event loop|Cannot run the event loop",
        "leave `uvicorn.run`, `asyncio.run` and `serve` out of the answer: the check serves `app`",
    ),
    ("never awaited|coroutine' object", "an `await` that is missing in front of a call"),
    ("^ModuleNotFoundError", "only packages of the course are there when an answer is marked"),
)
"""What often goes wrong when an answer is executed: a pattern of the error, and where to look."""


def _raised(error: str) -> str:
    looks = [look for pattern, look in _SLIPS if re.search(pattern, error)]
    return f"Your code raised {error}" + (f"\nLook at: {looks[0]}" if looks else "")


def _why_not_executed(process: AnswerRun, error: Exception) -> tuple[str, str]:
    if isinstance(error, AnswerError):
        memory = str(error).startswith("MemoryError")
        return ("out-of-memory" if memory else "crashed"), _raised(str(error))
    if isinstance(error, TimeoutError):
        return "timeout", "Your code did not come to its end when it was executed."
    if process.killed_for_memory:
        return "out-of-memory", "Your code took more than 1 GiB of memory and was stopped."
    if process.used_up_its_cpu():
        return "timeout", "Your code computed without end when it was executed, and was stopped."
    return "crashed", "Your code ended its own process when it was executed."
