"""What most checks say, one word each: held, released, expect_reply, expect_nothing_left."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from unblocked.grading.checks.exam import Exam, criterion
from unblocked.grading.checks.expect import Failed, called, expect
from unblocked.grading.checks.upstream import Call, Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from unblocked.grading.checks.app import App
    from unblocked.grading.checks.callers import Reply
    from unblocked.grading.checks.readers import Reader

Script = Callable[[Call], Awaitable[None]]

MOST_CALLERS, A_MOMENT = 200, 0.05
"""Callers who try whether a port is closed, and seconds between two of them."""
STATUS_400 = "answers 400"
STATUS_500 = "answers 500"
REFUSED = "refuses the connection"
LOST = "drops the connection without an answer"
FAILURES = (STATUS_400, STATUS_500, REFUSED, LOST)
"""The ways in which a call fails; to a caller all are the same."""


async def held(
    app: App,
    upstream: Upstream,
    calls: int,
    callers: Sequence[asyncio.Task[Reply]] = (),
    *,
    expected: str = "",
    look: str = "",
) -> None:
    """Wait until so many calls are in flight at the upstream together.

    Raises:
        Failed: they never are, or one of `callers` has a reply before.
    """
    await app.until(
        lambda: upstream.in_flight >= calls,
        expected or f"{_count(calls, 'upstream call')} in flight together",
        saw=lambda: f"{_count(upstream.in_flight, 'upstream call')} in flight",
        look=look,
        callers=callers,
    )


async def released(
    app: App, upstream: Upstream, callers: Sequence[asyncio.Task[Reply]], *, look: str = ""
) -> list[Reply]:
    """Let the upstream go on, and return the callers' replies."""
    upstream.released.set()
    return await app.replies(callers, look=look)


async def expect_bounded(app: App, upstream: Upstream, most: int, *, look: str = "") -> None:
    """So many calls are in flight, and no more, however long one waits."""
    await app.settle()
    saw = f"{_count(upstream.peak, 'upstream call')} in flight at one time"
    expect(upstream.peak <= most, saw=saw, expected=f"{most} at most", look=look)


def expect_reply(
    app: App,
    reply: Reply,
    *,
    status: int = 200,
    kind: str = "",
    expected: str = "",
    look: str = "",
    **wanted: Any,
) -> None:
    """The reply has this status, this media type and, where it is given, this `text` or `json`.

    `expected` says all of it in words; by default it is the status.
    """
    right = reply.status == status and not reply.broken
    right &= not kind or kind == media_type(reply.headers)
    right &= "text" not in wanted or reply.text == wanted["text"]
    right &= "json" not in wanted or reply.json() == wanted["json"]
    has_kind = reply.headers.get("content-type", "no content type")
    saw = f"{reply}{', broken off' if reply.broken else ''}, {has_kind}"
    expect(right, saw=app.with_log(saw), expected=expected or str(status), look=look)


def media_type(headers: Mapping[str, str]) -> str:
    """The kind of body that the headers name, without parameters, such as `text/plain`."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


async def expect_released(
    app: App, *upstreams: Upstream, expected: str = "", look: str = ""
) -> None:
    """No upstream has a call in flight any more, by an app that goes on serving."""

    def in_flight() -> int:
        return sum(upstream.in_flight for upstream in upstreams)

    await app.until(
        lambda: in_flight() == 0,
        expected or "every upstream connection released",
        saw=lambda: f"{_count(in_flight(), 'upstream call')} still in flight",
        look=look,
    )
    await app.turn(1)


def expect_few_threads(before: int, now: int, *, more: int, expected: str, look: str = "") -> None:
    """The answer has at most so many threads more than before."""
    saw = f"{_count(now - before, 'thread')} more than before, {now} in all"
    expect(now - before <= more, saw=saw, expected=expected, look=look)


async def expect_a_thread_each(app: App, upstream: Upstream, *, look: str = "") -> None:
    """Each call in flight blocks a thread of the answer, which reads from that call's connection.

    Where the system does not tell what a thread waits for, the threads are only counted.
    """
    calls = upstream.in_flight
    threads = await app.threads()
    expected = "a thread for each call, blocked by it, beside the event loop's"
    saw = f"{_count(calls, 'call')} in flight; {_count(threads, 'thread')} in all"
    expect(threads > calls, saw=saw, expected=expected, look=look)

    def blocked() -> int:
        seen = app.calls_with_a_thread(upstream)
        return calls if seen is None else seen

    await app.until(
        lambda: blocked() >= calls,
        expected,
        saw=lambda: (
            f"{_count(calls, 'call')} in flight; threads that wait for their replies: {blocked()}"
        ),
        look=look,
    )


async def expect_loop_free(app: App, *, look: str = "") -> None:
    """The app answers a request for an unknown path, whatever the upstream holds."""
    try:
        await app.turn()
    except Failed as failure:
        raise Failed(
            called=failure.called,
            saw=failure.saw,
            expected=failure.expected,
            look=look,
            certain=failure.certain,
        ) from None


def expect_retry_after(reply: Reply | Reader) -> None:
    """The reply has a `Retry-After` that a client can read: whole seconds, or an HTTP date."""
    value = reply.headers.get("retry-after", "")
    expect(
        re.fullmatch(r"\d+", value) or _is_http_date(value),
        saw=f"{reply.status} with Retry-After: {value or 'missing'}",
        expected="Retry-After: a whole number of seconds, or an HTTP date",
        look='HTTPException(503, headers={"Retry-After": "1"})',
    )


def _is_http_date(value: str) -> bool:
    with contextlib.suppress(ValueError, TypeError):
        return value.endswith("GMT") and parsedate_to_datetime(value) is not None
    return False


async def expect_stopped(app: App, *, look: str = "") -> None:
    """Stop the app: afterwards no connection is open at any upstream, its process still alive."""
    await app.stop()

    def count() -> int:
        return sum(upstream.open for upstream in app.upstreams)

    with called("shutdown, with the process still alive"):
        await app.until(
            lambda: count() == 0,
            "no connection open at the upstream",
            saw=lambda: f"{_count(count(), 'connection')} open at the upstream",
            look=look or "who closes the client: `async with httpx.AsyncClient()` in the lifespan",
        )


async def expect_port_closed(app: App) -> None:
    """New callers are refused, by an app that is stopping.

    Those who come just as the port is closed may hear nothing: asyncio forgets their connections.
    """
    callers: list[asyncio.Task[Reply]] = []

    def refused() -> bool:
        return any(c.done() and c.exception() is not None for c in callers)

    while not refused() and len(callers) < MOST_CALLERS:
        callers.append(app.call(f"/{secrets.token_hex(6)}"))
        await asyncio.sleep(A_MOMENT)
    await app.until(
        refused, "new callers are refused", saw=lambda: f"{len(callers)} new callers, none refused"
    )


async def expect_nothing_left(app: App, *, look: str = "") -> None:
    """Stop the app and end its loop: no connection is open, no thread and no child process runs."""
    await expect_stopped(app, look=look)
    with called("shutdown, after the event loop was closed"):
        await expect_no_threads(
            app, look="who shuts the executor down, and who ends the processes that were started"
        )


async def expect_no_threads(app: App, *, look: str) -> None:
    """End the answer's loop: no thread and no child process runs."""
    await app.end()
    await app.until(
        lambda: app.threads_left() == 0,
        "no thread and no child process of the answer runs",
        saw=lambda: (
            f"{_count(app.threads_left(), 'thread')} of the answer still run, "
            "those of child processes included"
        ),
        look=look,
    )


async def failing(call: Call, how: str) -> None:
    """A script: let the call fail in one of the ways of `FAILURES`, but for `REFUSED`."""
    if how == LOST:
        call.break_off()
    else:
        await call.reply("failed", status=int(how.split()[-1]))


@contextlib.asynccontextmanager
async def failing_upstream(app: App, upstream: Upstream, how: str) -> AsyncIterator[None]:
    """Let every call to the upstream fail in one of the ways of `FAILURES`, for the block."""
    script = upstream.script
    upstream.script = lambda call: failing(call, how)
    try:
        if how == REFUSED:
            async with app.away(upstream):
                yield
        else:
            yield
    finally:
        upstream.script = script


def nothing_blocks(*, last: bool = True) -> Any:
    """Make the criterion *nothing blocks the loop*, which the runs of all others are judged by."""

    @criterion("nothing blocks the loop", points=1, last=last)
    async def judge(exam: Exam) -> str:
        blocking = exam.findings.blocking
        with called("the app, while it served the callers of all other criteria"):
            expect(
                not blocking,
                saw="; ".join(list(blocking.values())[:3]),
                expected="no blocking call on the event loop's thread, however short",
                look="an awaitable twin (asyncio.sleep, httpx.AsyncClient), or a thread of its own "
                "(asyncio.to_thread)",
            )
        return "While it served, no call blocked the event loop's thread, not for a millisecond."

    return judge


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
