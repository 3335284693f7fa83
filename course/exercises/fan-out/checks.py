"""What is graded in `fan-out`: five different calls put together, as the upstream sees them."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from unblocked.grading.checks import (
    FAILURES,
    LOST,
    REFUSED,
    STATUS_400,
    STATUS_500,
    App,
    Call,
    Exam,
    Failed,
    Reply,
    Upstream,
    called,
    criterion,
    expect,
    expect_nothing_left,
    expect_reply,
    failing,
    failing_upstream,
    fails,
    held,
    json_of,
    media_type,
    nothing_blocks,
    released,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from unblocked.grading.checks import Script

CALLS = 5
IN_A_ROW = 8
NOT_FOUND = "answers 404"
OTHER_STATUSES = (401, 403, 410, 418, 422, 429, 451, 503, 504, 599)
PARTS = ("user", "orders", "prices", "status", "recommendations")
ODD = {"a/b": "a%2Fb", "é": "%C3%A9", "?x=1": "%3Fx%3D1", "a&b": "a%26b", "#1": "%231"}
DOTS = {".": "%2E", "..": "%2E%2E"}
ASKED_FOR = re.compile(
    r"GET /users/[^/?]+|GET /orders\?user=[^&]*|GET /prices|GET /status|POST /recommendations"
)
QUOTE = "urllib.parse.quote(user, safe='') for the path, `params=` for the query"
CLIENT = "one client for all requests: httpx.AsyncClient(base_url=UPSTREAM, …) in the lifespan"
NEVER_SENT = (
    "`.` and `..` are taken out of a path by clients, whether quoted or not: the token would go to "
    'another path. `if user in (".", "..")`, before the first call'
)
SHARED = "a name that all requests share holds what the last of them wrote"
NOT_FIRST = (
    "the first failure must not decide, neither a status nor an error that is raised: "
    "gather(return_exceptions=True), and the user's reply is looked at first"
)
HEADERS_OF_ERRORS = (
    "an HTTPException makes a response of its own, and what was put into `response.headers` is "
    "lost: HTTPException(…, headers={…}), or a middleware for all of them"
)


def part(call: Call) -> str:
    """Which of the five calls this is, by the first segment of its path."""
    first = call.path.lstrip("/").split("/")[0]
    return "user" if first == "users" else first


def is_asked_for(call: Call) -> bool:
    """Whether the call is one of the five, with no more and no less in its path and query."""
    return bool(ASKED_FOR.fullmatch(f"{call.method} {call.request.raw_path}"))


def body(call: Call) -> str:
    return json.dumps({"part": part(call), "secret": call.text[:40]})


async def as_json(call: Call) -> None:
    """A script: reply with JSON of the call's own."""
    await call.reply(body(call), content_type="application/json")


async def hold_json(call: Call) -> None:
    """A script: the same, when the check says go."""
    await call.upstream.released.wait()
    await as_json(call)


async def user_last(call: Call) -> None:
    """A script: what the upstream says of the users comes last; all other parts are there."""
    await (hold_json if part(call) == "user" else as_json)(call)


def parts_do(special: dict[str, Script]) -> Script:
    """Return a script that replies with JSON, but for the parts that have one of their own."""
    return lambda call: special.get(part(call), as_json)(call)


class Asked:
    """The app, its upstream and its token."""

    def __init__(self, app: App, upstream: Upstream, token: str) -> None:
        self.app, self.upstream, self.token = app, upstream, token

    def calls_for(self, name: str) -> list[Call]:
        return [call for call in self.upstream.calls if part(call) == name]

    def of(self, name: str) -> Call:
        """The newest call for this part; fails when there is none."""
        found = self.calls_for(name)
        paths = ", ".join(sorted({call.path for call in self.upstream.calls})[:CALLS])
        saw = f"no call for {name}; calls to {paths}" if paths else "no upstream call at all"
        expect(found, saw=saw, expected=f"calls for {', '.join(PARTS)}")
        return found[-1]

    async def get(self, user: str, script: Script = as_json, *, request_id: str = "") -> Reply:
        """The reply to one more caller; only the calls made for it are counted."""
        self.upstream.begin(script)
        headers = {"X-Request-ID": request_id} if request_id else {}
        reply = await self.app.get(f"/dashboard/{user}", headers=headers)
        if reply.status >= 400:  # calls that nobody waits for any more may be on their way
            await self.app.settle()
        return reply

    async def together(self, users: dict[str, str]) -> list[Reply]:
        """The replies to callers who come at once, each with a request ID of its own."""
        self.upstream.begin(user_last)
        async with self.app.together(len(users)):
            callers = [
                self.app.call(f"/dashboard/{user}", headers={"X-Request-ID": request_id})
                for request_id, user in users.items()
            ]
        with contextlib.suppress(Failed):  # one caller after the other is no fault here
            await self.app.until(
                lambda: len(self.upstream.calls) >= CALLS * len(users), "five calls each"
            )
            await self.app.turn()
        return await released(self.app, self.upstream, callers)


def a_user() -> str:
    """A name that nobody can foresee."""
    return f"u{secrets.token_hex(4)}"


def some_callers() -> dict[str, str]:
    """Callers by their request ID: each has a user, two of them the same one."""
    users = [a_user(), a_user()]
    return {secrets.token_hex(4): user for user in (*users, users[0])}


def whose(call: Call, users: dict[str, str]) -> str | None:
    """The one of the users that this call names, wherever it does."""
    sent = call.request.raw_path.encode(errors="replace") + b" " + call.body
    return next((user for user in users.values() if user.encode() in sent), None)


def at_once_with(users: dict[str, str]) -> str:
    callers = (f"GET /dashboard/{user}, X-Request-ID: {key}" for key, user in users.items())
    return f"{'; '.join(callers)}; all at once"


@contextlib.asynccontextmanager
async def asked(exam: Exam) -> AsyncIterator[Asked]:
    async with exam.run() as app:
        upstream = await app.upstream(as_json, expects=is_asked_for)
        token = secrets.token_hex(8)
        app.bind(UPSTREAM=upstream.url, TOKEN=token)
        await app.start()
        yield Asked(app, upstream, token)


def expect_parts(it: Asked, reply: Reply) -> None:
    """The reply is made of five calls, and there were no others."""
    expect_reply(it.app, reply)
    wanted = {name: json.loads(body(it.of(name))) for name in PARTS}
    expected = f"an object of {', '.join(PARTS)}, each the JSON of its upstream call"
    expect(reply.json() == wanted, saw=reply.text[:300], expected=expected)
    calls = len(it.upstream.calls)
    expect(calls == CALLS, saw=f"{calls} upstream calls", expected="five")


def expect_id(reply: Reply, wanted: str) -> None:
    """The reply's headers carry this request ID."""
    seen = reply.headers.get("x-request-id", "missing")
    expect(
        seen == wanted,
        saw=f"a reply of {reply.status}, its X-Request-ID {seen}",
        expected=f"X-Request-ID: {wanted} in the headers of the reply",
        look=HEADERS_OF_ERRORS if reply.status >= 400 else "",
    )


@criterion("five calls at once", points=1)
async def at_once(exam: Exam) -> str:
    async with asked(exam) as it:
        it.upstream.script = hold_json
        user = a_user()
        with called(f"GET /dashboard/{user}, while the upstream holds its replies"):
            caller = it.app.call(f"/dashboard/{user}")
            look = "asyncio.gather or a TaskGroup starts all five before it waits"
            await held(it.app, it.upstream, CALLS, [caller], look=look)
            await it.app.settle()
            expect_each_part_in_flight(it)
            expect_parts(it, (await released(it.app, it.upstream, [caller]))[0])
    return "Five calls, one wait: the dashboard takes as long as its slowest part."


def expect_each_part_in_flight(it: Asked) -> None:
    """Those held together are the five that were asked for, so that none is only for show."""
    seen = sorted(map(part, it.upstream.live))
    expect(
        seen == sorted(PARTS),
        saw=f"in flight together: {', '.join(seen[: 2 * CALLS])}",
        expected=f"one call each for {', '.join(PARTS)}",
        look="each of the five is started once, before the first of them is awaited",
    )


@criterion("puts the five answers together", points=1)
async def together(exam: Exam) -> str:
    async with asked(exam) as it:
        user = a_user()
        with called(f"GET /dashboard/{user}"):
            expect_parts(it, await it.get(user))
            expect_user(it, user)
        users = some_callers()
        with called(at_once_with(users)):
            taken: set[Call] = set()
            for name, reply in zip(users.values(), await it.together(users), strict=True):
                expect_reply(it.app, reply, look=SHARED)
                expect_own_parts(it, name, reply, users, taken)
    return "Each part stands under its own name, whichever came first, and in its own answer."


def expect_user(it: Asked, user: str) -> None:
    """The calls ask for this user, each in its own way."""
    segment, query = it.of("user").path.rpartition("/")[2], it.of("orders").query
    seen = (unquote(segment), query.get("user"))
    saw = f"calls to {it.of('user').request.raw_path} and {it.of('orders').request.raw_path}"
    expected = f"/users/{{user}} and /orders?user={{user}} for the user {user!r}"
    expect(seen == (user, user), saw=saw, expected=expected, look=QUOTE)


def expect_own_parts(
    it: Asked, user: str, reply: Reply, users: dict[str, str], taken: set[Call]
) -> None:
    """Each part is that of a call which was made for this user, and which no other one has."""
    given = reply.json()
    for name in PARTS:
        seen = given.get(name) if isinstance(given, dict) else None
        found = [call for call in it.calls_for(name) if json.loads(body(call)) == seen]
        own = found and found[0] not in taken and whose(found[0], users) in (None, user)
        what = "is that of another caller" if found else f"is {json.dumps(seen)[:200]}"
        saw = f"in the answer for {user}, the part {name} {what}"
        expect(own, saw=saw, expected="each caller's own five parts", look=SHARED)
        taken.add(found[0])


@criterion("posts JSON", points=1)
async def posts(exam: Exam) -> str:
    async with asked(exam) as it:
        for user in (a_user(), a_user()):
            with called(f"GET /dashboard/{user}"):
                await it.get(user)
                call = it.of("recommendations")
                wanted = {"user": user, "limit": 3}
                kind = call.headers.get("content-type", "no content type")
                is_json = media_type(call.headers) == "application/json"
                text = call.body.decode(errors="replace")[:200]
                expect(
                    exactly(json_of(call)) == exactly(wanted) and is_json,
                    saw=f"POST /recommendations with {kind}, the body {text!r}",
                    expected=f"application/json: {json.dumps(wanted)}",
                    look='client.post("/recommendations", json={…})',
                )
    return "`json=` encodes the body and names its type."


def exactly(value: Any) -> str:
    """JSON in one form, in which 3, 3.0 and true are different things."""
    return json.dumps(value, sort_keys=True)


@criterion("sends the token and the request ID", points=1)
async def headers(exam: Exam) -> str:
    async with asked(exam) as it:
        user, wanted = a_user(), secrets.token_hex(6)
        with called(f"GET /dashboard/{user}, X-Request-ID: {wanted}"):
            expect_id(await it.get(user, request_id=wanted), wanted)
            expect_headers(it, wanted)
        with called(f"GET /dashboard/{user}, twice, without X-Request-ID"):
            made = [await made_id(it, user) for _ in "12"]
            saw = f"replies with X-Request-ID {' and '.join(made)}"
            expect(made[0] != made[1], saw=saw, expected="a new one for each request", look=UUID)
        users = some_callers()
        with called(at_once_with(users)):
            replies = await it.together(users)
            for wanted, reply in zip(users, replies, strict=True):
                expect_own_id(it, wanted, users)
                expect_id(reply, wanted)
        for name, how in {"user": NOT_FOUND, "prices": STATUS_500}.items():
            script, what = parts_do({name: fails(how)}), f"for {name} the upstream {how}"
            wanted = secrets.token_hex(6)
            with called(f"GET /dashboard/{user}, X-Request-ID: {wanted}; {what}"):
                expect_id(await it.get(user, script, request_id=wanted), wanted)
            with called(f"GET /dashboard/{user}, without X-Request-ID; {what}"):
                await made_id(it, user, script)
    return "One ID goes through all five calls and back: a slow dashboard can be traced."


UUID = "uuid.uuid4().hex"


async def made_id(it: Asked, user: str, script: Script = as_json) -> str:
    """The ID that the app makes for a caller who sends none; its calls carry it, too."""
    made = has_id(await it.get(user, script))
    expect_headers(it, made)
    return made


def has_id(reply: Reply) -> str:
    """The ID that a reply has, where the caller sent none."""
    made = reply.headers.get("x-request-id", "")
    look = HEADERS_OF_ERRORS if reply.status >= 400 else UUID
    expected = "one is made, and stands in the headers of the reply"
    expect(
        made, saw=f"a reply of {reply.status} without X-Request-ID", expected=expected, look=look
    )
    return made


def expect_headers(it: Asked, wanted: str) -> None:
    """Each call carries the token, and this request ID."""
    it.of("user")
    for call in it.upstream.calls:
        name, sent = part(call), call.headers
        seen = (sent.get("authorization"), sent.get("x-request-id"))
        expect(
            seen == (f"Bearer {it.token}", wanted),
            saw=f"{name} was called with Authorization {seen[0]}, X-Request-ID {seen[1]}",
            expected=f"Authorization: Bearer TOKEN, X-Request-ID: {wanted}, on each call",
        )


def expect_own_id(it: Asked, wanted: str, users: dict[str, str]) -> None:
    """The five calls for a caller carry its ID, and no call for another user does."""
    for name in PARTS:
        calls = it.calls_for(name)
        traced = [call for call in calls if call.headers.get("x-request-id") == wanted]
        seen = [f"{c.request.raw_path} with {c.headers.get('x-request-id')}" for c in calls]
        expect(
            traced and all(whose(call, users) in (None, users[wanted]) for call in traced),
            saw=f"calls for {name}: {', '.join(seen[: 2 * len(users)]) or 'none'}",
            expected="each caller's X-Request-ID on the five calls made for it",
            look="`headers=` of the call: those of the client are shared by all requests",
        )


@criterion("odd user names", points=1)
async def odd_names(exam: Exam) -> str:
    async with asked(exam) as it:
        it.upstream.look_at_others = QUOTE
        for name, quoted in ODD.items():
            with called(f"GET /dashboard/{quoted}, the user {name!r}"):
                expect_reply(it.app, await it.get(quoted))
                expect_user(it, name)
                sent = json_of(it.of("recommendations"))
                named = sent.get("user") if isinstance(sent, dict) else None
                saw = f"recommendations for the user {named!r}"
                expect(named == name, saw=saw, expected=f"the user {name!r} in the JSON, as it is")
                it.upstream.expect_no_other_call()
        it.upstream.look_at_others = NEVER_SENT
        for name, quoted in DOTS.items():
            wanted = secrets.token_hex(6)
            with called(f"GET /dashboard/{quoted}, the user {name!r}"):
                reply = await it.get(quoted, request_id=wanted)
                expected = "404, without any upstream call"
                expect_reply(it.app, reply, status=404, expected=expected, look=NEVER_SENT)
                saw = f"404 after {len(it.upstream.calls)} upstream calls"
                expect(not it.upstream.calls, saw=saw, expected=expected, look=NEVER_SENT)
                it.upstream.expect_no_other_call()
                expect_id(reply, wanted)
                has_id(await it.get(quoted))
    return "A name is data. Unquoted, it is a path, a query or nothing at all."


@criterion("an unknown user is a 404", points=1)
async def unknown_user(exam: Exam) -> str:
    async with asked(exam) as it:
        with called("GET /dashboard/nobody, the upstream answers 404 for the user"):
            reply = await it.get("nobody", parts_do({"user": fails(NOT_FOUND)}))
            expect_reply(
                it.app, reply, status=404, look="the upstream's reply for the user decides"
            )
        for how in (STATUS_400, STATUS_500, LOST):
            with called(f"GET /dashboard/nobody: for all others the upstream {how}, then 404"):
                reply = await not_found_last(it, how)
                expect_reply(it.app, reply, status=404, look=NOT_FIRST)
    return "Not found is an answer, not a failure, and it outweighs the failures beside it."


async def not_found_last(it: Asked, how: str) -> Reply:
    """The reply to a caller for whom all other parts have failed when the user's 404 comes."""
    others: dict[str, Script] = dict.fromkeys(PARTS[1:], fails(how))
    it.upstream.begin(parts_do({**others, "user": not_found_when_released}))
    caller = it.app.call("/dashboard/nobody")
    await it.app.until(
        lambda: len(it.upstream.calls) >= CALLS,
        "five upstream calls, and no reply before the one for the user has its own",
        saw=lambda: f"{len(it.upstream.calls)} upstream calls",
        look=NOT_FIRST,
        callers=[caller],
    )
    await it.app.settle()
    return (await released(it.app, it.upstream, [caller]))[0]


async def not_found_when_released(call: Call) -> None:
    await call.upstream.released.wait()
    await failing(call, NOT_FOUND)


@criterion("any other failure is a 502", points=1)
async def bad_gateway(exam: Exam) -> str:
    async with asked(exam) as it:
        for name, how in ways_to_fail():
            with called(f"GET /dashboard/ada, the call for {name}: the upstream {how}"):
                await expect_traced_502(it, parts_do({name: fails(how)}))
        with called("GET /dashboard/ada, the upstream cannot be reached"):
            async with failing_upstream(it.app, it.upstream, REFUSED):
                await expect_traced_502(it, as_json)
        with called("GET /dashboard/ada, after requests that failed"):
            expect_parts(it, await it.get("ada"))
    return "A 404 for orders is the upstream's fault, not the caller's: 502."


def ways_to_fail() -> list[tuple[str, str]]:
    """A part and how its call fails: each part in each way, some with many a status."""
    each = [(name, how) for name in PARTS for how in FAILURES if how != REFUSED]
    each += [(name, f"answers {status}") for name in PARTS[:2] for status in OTHER_STATUSES]
    return each + [(name, NOT_FOUND) for name in PARTS[1:]]


async def expect_traced_502(it: Asked, script: Script) -> None:
    wanted = secrets.token_hex(6)
    reply = await it.get("ada", script, request_id=wanted)
    look = "a status of 400 or more, and an error that is raised (httpx.HTTPError), are both a 502"
    expect_reply(it.app, reply, status=502, look=look)
    expect_id(reply, wanted)


@criterion("one client", points=1)
async def one_client(exam: Exam) -> str:
    async with asked(exam) as it:
        with called(f"GET /dashboard/{{user}}, for {IN_A_ROW} users, one after the other"):
            for _ in range(IN_A_ROW):
                expect_reply(it.app, await it.app.get(f"/dashboard/{a_user()}"))
            await expect_kept(it)
            # An idle pool may still open a connection more when five calls reach for it together.
            saw = f"{it.upstream.opened} upstream connections"
            expected = "five or a few more, kept alive, for all users"
            expect(it.upstream.opened < 2 * CALLS, saw=saw, expected=expected, look=CLIENT)
            clients = await it.app.inside("open_clients")
            saw = f"{len(clients)} open clients: {', '.join(clients[:CALLS])}"
            expect(len(clients) <= 1, saw=saw, expected="one, for all users", look=CLIENT)
    return "The connections were used again."


async def expect_kept(it: Asked) -> None:
    """After a request the client is still there, with its connections: they are to be closed."""
    await it.app.settle()
    calls = "connection left after the replies" if it.upstream.calls else "call at all"
    expected = "idle connections, kept for the next request"
    expect(it.upstream.open, saw=f"no upstream {calls}", expected=expected, look=CLIENT)


@criterion("starts and stops cleanly", points=1)
async def stops(exam: Exam) -> str:
    async with asked(exam) as it:
        with called("GET /dashboard/ada"):
            await it.get("ada")
            await expect_kept(it)
        await expect_nothing_left(it.app, look="the lifespan closes the client")
    return "Nothing of yours was left at the upstream."


blocks_nothing = nothing_blocks()
