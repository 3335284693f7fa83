"""What is graded in `fan-out`: five different calls put together, as the upstream sees them."""

from __future__ import annotations

import contextlib
import json
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from unblocked.grading.checks.exam import App, Call, Exam, Failed, Reply, Upstream, criterion
from unblocked.grading.checks.upstream import json_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CALLS = 5
MOST_OF_A_NAME = 40
"""Characters shown of a path that was called."""
PARTS = ("user", "orders", "prices", "status", "recommendations")
AT_ONCE = ("ada", "grace", "hedy")
ODD = {"a/b": "a%2Fb", "é": "%C3%A9", "?x=1": "%3Fx%3D1", "a&b": "a%26b", "#1": "%231"}
ADA = "GET /dashboard/ada"
LOOK_QUOTE = "urllib.parse.quote(user, safe='') for the path, `params=` for the query"
LOOK_CLIENT = "one client for all requests: httpx.AsyncClient(base_url=UPSTREAM, …) in the lifespan"
LOOK_SHARED = "a name that all requests share holds what the last of them wrote"


def part(call: Call) -> str:
    """Which of the five calls this is."""
    first = call.path.lstrip("/").split("/")[0]
    return "user" if first == "users" else first


def body(call: Call) -> str:
    return json.dumps({"part": part(call), "secret": call.text[:40]})


async def as_json(call: Call, status: int = 200) -> None:
    await call.reply(body(call), status, content_type="application/json")


def whose(call: Call) -> str | None:
    """The one of the users who come at once that this call names, wherever it does."""
    sent = call.request.raw_path.encode(errors="replace") + b" " + call.body
    return next((name for name in AT_ONCE if name.encode() in sent), None)


class Asked:
    """The app, its upstream and its token."""

    def __init__(self, app: App, upstream: Upstream, token: str) -> None:
        self.app, self.upstream, self.token = app, upstream, token

    def calls_for(self, name: str) -> list[Call]:
        return [call for call in self.upstream.calls if part(call) == name]

    def of(self, name: str, called: str = ADA) -> Call:
        """The newest call for this part; fails when there is none."""
        if found := self.calls_for(name):
            return found[-1]
        paths = sorted({call.path for call in self.upstream.calls})
        others = f"no call for {name}; calls to {', '.join(paths[:CALLS])}"
        raise Failed(
            called=called,
            saw=others if paths else "no upstream call at all",
            expected=f"calls for {', '.join(PARTS)}",
        )

    async def get_anew(self, path: str = "/dashboard/ada") -> Reply:
        """The answer to one more caller; only the calls made for it are counted."""
        self.upstream.begin(as_json)
        return await self.app.get(path)

    async def together(self, ids: dict[str, str]) -> list[Reply]:
        """The answers to callers who come at once, each with an ID.

        What the upstream says of the users comes last: each has its other parts by then.
        """
        self.upstream.begin(self._user_last)
        async with self.app.together(len(ids)):
            callers = [
                self.app.call(f"/dashboard/{user}", headers={"X-Request-ID": request_id})
                for user, request_id in ids.items()
            ]
        with self.app.by_the_way():  # one caller after the other is no fault here
            await self.app.until(
                lambda: len(self.upstream.calls) >= CALLS * len(ids),
                called=together_with(ids),
                expected="five calls each",
            )
            await self.app.turn()
        self.upstream.released.set()
        return await self.app.answers(callers, called=together_with(ids))

    async def _user_last(self, call: Call) -> None:
        if part(call) == "user":
            await self.upstream.released.wait()
        await as_json(call)


def together_with(ids: dict[str, str]) -> str:
    callers = (f"GET /dashboard/{user}, X-Request-ID: {ids[user]}" for user in ids)
    return f"{'; '.join(callers)}; all at once"


def new_ids() -> dict[str, str]:
    return {user: secrets.token_hex(4) for user in AT_ONCE}


@contextlib.asynccontextmanager
async def asked(exam: Exam) -> AsyncIterator[Asked]:
    async with exam.run() as app:
        upstream, token = await app.upstream(as_json), secrets.token_hex(8)
        app.bind(UPSTREAM=upstream.url, TOKEN=token)
        await app.start()
        yield Asked(app, upstream, token)


def expect_status(app: App, reply: Reply, status: int, called: str, look: str = "") -> None:
    if reply.status != status:
        saw = app.with_log(reply.status)
        raise Failed(called=called, saw=saw, expected=str(status), look=look)


@criterion("five calls at once", points=2)
async def at_once(exam: Exam) -> str:
    async with asked(exam) as it:

        async def held(call: Call) -> None:
            await it.upstream.released.wait()
            await as_json(call)

        it.upstream.script = held
        called = "GET /dashboard/ada, while the upstream holds its answers"
        caller = it.app.call("/dashboard/ada")
        await it.app.until(
            lambda: it.upstream.in_flight >= CALLS,
            called=called,
            saw=lambda: f"{it.upstream.in_flight} upstream calls in flight",
            expected="five at the same time",
            look="asyncio.gather or a TaskGroup starts all five before it waits",
            calls=[caller],
        )
        await it.app.turn()
        expect_each_part_in_flight(it, called)
        it.upstream.released.set()
        expect_parts(it, (await it.app.answers([caller], called=called))[0], called)
    return "Five calls, one wait: the dashboard takes as long as its slowest part."


def expect_each_part_in_flight(it: Asked, called: str) -> None:
    """Those held together are the five that were asked for, so that none is only for show."""
    seen = sorted(part(call)[:MOST_OF_A_NAME] for call in it.upstream.live)
    if seen != sorted(PARTS):
        raise Failed(
            called=called,
            saw=f"in flight together: {', '.join(seen[: 2 * CALLS])}",
            expected=f"one call each for {', '.join(PARTS)}",
            look="each of the five is started once, before the first of them is awaited",
        )


@criterion("puts the five answers together", points=1)
async def together(exam: Exam) -> str:
    async with asked(exam) as it:
        expect_parts(it, await it.get_anew(), ADA)
        asked_for = it.of("orders").query.get("user")
        if asked_for != "ada":
            raise Failed(called=ADA, saw=f"orders?user={asked_for}", expected="orders?user=ada")
        ids = new_ids()
        taken: set[Call] = set()
        for user, reply in zip(ids, await it.together(ids), strict=True):
            expect_status(it.app, reply, 200, together_with(ids), LOOK_SHARED)
            expect_own_parts(it, user, reply, ids, taken)
    return "Each part stands under its own name, whichever came first, and in its own answer."


def expect_parts(it: Asked, reply: Reply, called: str) -> None:
    """The answer is made of five calls, and there were no others."""
    expect_status(it.app, reply, 200, called)
    expected = {name: json.loads(body(it.of(name, called))) for name in PARTS}
    if reply.json() != expected:
        raise Failed(
            called=called,
            saw=reply.text[:300],
            expected=f"an object of {', '.join(PARTS)}, each the JSON of its upstream call",
        )
    if len(it.upstream.calls) != CALLS:
        saw = f"{len(it.upstream.calls)} upstream calls"
        raise Failed(called=called, saw=saw, expected="five")


def expect_own_parts(
    it: Asked, user: str, reply: Reply, ids: dict[str, str], taken: set[Call]
) -> None:
    """Each part is that of a call which was made for this user, and which no other one has."""
    given = reply.json()
    for name in PARTS:
        seen = given.get(name) if isinstance(given, dict) else None
        found = [call for call in it.calls_for(name) if json.loads(body(call)) == seen]
        if not found or found[0] in taken or whose(found[0]) not in (None, user):
            what = "is that of another caller" if found else f"is {json.dumps(seen)[:200]}"
            raise Failed(
                called=together_with(ids),
                saw=f"in the answer for {user}, the part {name} {what}",
                expected="each caller's own five parts",
                look=LOOK_SHARED,
            )
        taken.add(found[0])


@criterion("posts JSON", points=1)
async def posts(exam: Exam) -> str:
    async with asked(exam) as it:
        await it.app.get("/dashboard/ada")
        call = it.of("recommendations")
        sent, kind = json_of(call), call.headers.get("content-type", "")
        wanted: Any = {"user": "ada", "limit": 3}
        if call.method != "POST" or sent != wanted or "application/json" not in kind:
            raise Failed(
                called=ADA,
                saw=f"{call.method} /recommendations with {kind or 'no content type'}, "
                f"the body {call.body.decode(errors='replace')[:200]!r}",
                expected=f"POST with application/json: {json.dumps(wanted)}",
                look='client.post("/recommendations", json={…})',
            )
    return "`json=` encodes the body and names its type."


@criterion("sends the token and the request ID", points=1)
async def headers(exam: Exam) -> str:
    async with asked(exam) as it:
        wanted = secrets.token_hex(6)
        reply = await it.app.get("/dashboard/ada", headers={"X-Request-ID": wanted})
        called = f"{ADA}, X-Request-ID: {wanted}"
        expect_headers(it, wanted, called)
        expect_id(reply, wanted, called)
        made = [await made_id(it) for _ in "12"]
        if made[0] == made[1]:
            raise Failed(
                called=f"{ADA}, twice, without X-Request-ID",
                saw=f"answers with X-Request-ID {' and '.join(made)}",
                expected="a new one for each request",
                look="uuid.uuid4().hex",
            )
        ids = new_ids()
        replies = await it.together(ids)
        for user, reply in zip(ids, replies, strict=True):
            expect_own_id(it, user, ids)
            expect_id(reply, ids[user], together_with(ids))
    return "One ID goes through all five calls and back: a slow dashboard can be traced."


async def made_id(it: Asked) -> str:
    """The ID that the app makes for a caller who sends none."""
    called = f"{ADA}, without X-Request-ID"
    made = (await it.get_anew()).headers.get("x-request-id")
    if not made:
        raise Failed(
            called=called,
            saw="an answer without X-Request-ID",
            expected="one is made, and stands in the answer's headers",
            look="uuid.uuid4().hex",
        )
    expect_headers(it, made, called)
    return made


def expect_headers(it: Asked, wanted: str, called: str) -> None:
    for name in PARTS:
        sent = it.of(name, called).headers
        seen = (sent.get("authorization"), sent.get("x-request-id"))
        if seen != (f"Bearer {it.token}", wanted):
            raise Failed(
                called=called,
                saw=f"{name} was called with Authorization {seen[0]}, X-Request-ID {seen[1]}",
                expected=f"Authorization: Bearer TOKEN, X-Request-ID: {wanted}, on each call",
            )


def expect_id(reply: Reply, wanted: str, called: str) -> None:
    seen = reply.headers.get("x-request-id", "missing")
    if seen != wanted:
        raise Failed(
            called=called,
            saw=f"an answer of {reply.status}, its X-Request-ID {seen}",
            expected=f"X-Request-ID: {wanted} in the answer's headers",
        )


def expect_own_id(it: Asked, user: str, ids: dict[str, str]) -> None:
    """The five calls for this user carry its ID, and no call for another one does."""
    for name in PARTS:
        calls = it.calls_for(name)
        traced = [call for call in calls if call.headers.get("x-request-id") == ids[user]]
        if not traced or any(whose(call) not in (None, user) for call in traced):
            seen = [f"{c.request.raw_path} with {c.headers.get('x-request-id')}" for c in calls]
            raise Failed(
                called=together_with(ids),
                saw=f"calls for {name}: {', '.join(seen[: 2 * len(ids)]) or 'none'}",
                expected="each caller's X-Request-ID on the five calls made for it",
                look="`headers=` of the call: those of the client are shared by all requests",
            )


@criterion("odd user names", points=1)
async def odd_names(exam: Exam) -> str:
    async with asked(exam) as it:
        for name, quoted in ODD.items():
            called = f"GET /dashboard/{quoted}, the user {name!r}"
            reply = await it.get_anew(f"/dashboard/{quoted}")
            expect_status(it.app, reply, 200, called)
            expect_segment(it.of("user", called), name, called)
            expect_name(it, name, called)
    return "A name is data. Unquoted, it is a path, a query or nothing at all."


def expect_segment(call: Call, name: str, called: str) -> None:
    segments = call.path.split("/")
    if len(segments) != 3 or unquote(segments[-1]) != name or call.query:
        raise Failed(
            called=called,
            saw=f"a call to {call.request.raw_path}",
            expected="/users/ and one path segment that means the name",
            look=LOOK_QUOTE,
        )


def expect_name(it: Asked, name: str, called: str) -> None:
    """The name is what is asked for where it is no part of the path."""
    asked_for = it.of("orders", called).query.get("user")
    call = it.of("recommendations", called)
    sent = json_of(call)
    if asked_for != name or not isinstance(sent, dict) or sent.get("user") != name:
        text = call.body.decode(errors="replace")[:200]
        raise Failed(
            called=called,
            saw=f"orders?user={asked_for}, and recommendations with the body {text!r}",
            expected=f"the user {name!r} in both",
            look='`params={"user": user}` for the query, `json={"user": user, …}` for the body',
        )


@criterion("an unknown user is a 404", points=1)
async def unknown_user(exam: Exam) -> str:
    called = "GET /dashboard/nobody, the upstream answers 404 for the user"
    async with asked(exam) as it:

        async def not_found(call: Call) -> None:
            await as_json(call, 404 if part(call) == "user" else 200)

        it.upstream.script = not_found
        reply = await it.app.get("/dashboard/nobody")
        expect_status(it.app, reply, 404, called, "the upstream's answer for the user decides")
    async with asked(exam) as it:

        async def all_fail(call: Call) -> None:
            if part(call) == "user":
                await it.upstream.released.wait()
            await as_json(call, 404 if part(call) == "user" else 500)

        it.upstream.script = all_fail
        called += ", last of all, after the others have failed"
        caller = it.app.call("/dashboard/nobody")
        await it.app.until(
            lambda: len(it.upstream.calls) >= CALLS,
            called=called,
            saw=lambda: f"{len(it.upstream.calls)} upstream calls",
            expected="five",
            calls=[caller],
        )
        await it.app.turn()
        it.upstream.released.set()
        reply = (await it.app.answers([caller], called=called))[0]
        look = "the first failure must not decide: gather(return_exceptions=True)"
        expect_status(it.app, reply, 404, called, look)
    return "Not found is an answer, not a failure, and it outweighs the failures beside it."


@criterion("any other failure is a 502", points=1)
async def bad_gateway(exam: Exam) -> str:
    async with asked(exam) as it:
        for name, status in (
            ("user", 500),
            ("prices", 503),
            ("orders", 404),
            ("status", 401),
        ):

            async def one_fails(call: Call, name: str = name, status: int = status) -> None:
                await as_json(call, status if part(call) == name else 200)

            it.upstream.script = one_fails
            called = f"GET /dashboard/ada, the call for {name} answers {status}"
            expect_status(it.app, await it.app.get("/dashboard/ada"), 502, called)
        it.upstream.script = as_json
        called = "GET /dashboard/ada, after a failure"
        expect_status(it.app, await it.app.get("/dashboard/ada"), 200, called)
    async with exam.run() as app:
        app.bind(UPSTREAM=app.unreachable(), TOKEN="t")
        await app.start()
        called = "GET /dashboard/ada, the upstream cannot be reached"
        expect_status(app, await app.get("/dashboard/ada"), 502, called)
    return "A 404 for orders is the upstream's fault, not the caller's: 502."


@criterion("one client", points=1)
async def one_client(exam: Exam) -> str:
    async with asked(exam) as it:
        for _ in range(6):
            expect_status(it.app, await it.app.get("/dashboard/ada"), 200, ADA)
        called = f"{ADA}, six times, one after the other"
        await it.app.turn()
        if it.upstream.open == 0:
            calls = "call at all" if not it.upstream.calls else "connection left after the answers"
            raise Failed(
                called=called,
                saw=f"no upstream {calls}",
                expected="idle connections, kept for the next request",
                look=LOOK_CLIENT,
            )
        # An idle pool may still open a connection more when five calls reach for it together.
        if it.upstream.opened >= 4 * CALLS:
            raise Failed(
                called=called,
                saw=f"{it.upstream.opened} upstream connections",
                expected="five or a few more, kept alive",
                look=LOOK_CLIENT,
            )
    return "The connections were used again."


@criterion("starts and stops cleanly", points=1)
async def stops(exam: Exam) -> str:
    async with asked(exam) as it:
        await it.app.get("/dashboard/ada")
        await it.app.stop()
        await it.app.until(
            lambda: it.upstream.open == 0,
            called="shutdown, with the process still alive",
            saw=lambda: f"{it.upstream.open} connections open at the upstream",
            expected="none",
            look="the lifespan closes the client",
        )
        await it.app.end()
        await it.app.until(
            lambda: it.app.process.threads() <= 1,
            called="shutdown",
            saw=lambda: f"{it.app.process.threads() - 1} threads of the answer still run",
            expected="none",
        )
    return "Nothing of yours was left at the upstream."
