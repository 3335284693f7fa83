"""What is graded in `one-client`: one client for the app's life, seen from the upstream."""

from __future__ import annotations

from unblocked.grading.exam import App, Exam, Failed, Upstream, criterion

MANY = 50


async def expect_text(app: App, upstream: Upstream, called: str = "GET /") -> None:
    reply = await app.get()
    kind = reply.headers.get("content-type", "no content type")
    text = upstream.calls[-1].text if upstream.calls else None
    if reply.status == 200 and reply.text == text and "text/plain" in kind:
        return
    log = app.last_words()
    raise Failed(
        called=called,
        saw=f"{reply}, {kind}"
        + ("" if upstream.calls else "; no upstream call")
        + (f"; the app's log says {log}" if log else ""),
        expected="200, text/plain, the upstream's own text",
        look="" if upstream.calls else "the endpoint calls URL for each request",
    )


@criterion("passes the text on", points=1)
async def passes_on(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        await expect_text(app, upstream)
        await expect_text(app, upstream, "GET /, again")
        if len(upstream.calls) != 2:
            raise Failed(
                called="GET /, twice",
                saw=f"{len(upstream.calls)} upstream calls",
                expected="one for each request",
            )
    return "The text came through, fresh each time."


@criterion("no client before start-up", points=1)
async def none_before(exam: Exam) -> str:
    async with exam.run() as app:
        upstream = await app.upstream()
        app.bind(URL=f"{upstream.url}/quote")
        await app.load()
        found = await app.inside("clients")
    if found:
        raise Failed(
            called="the module, executed but not yet started",
            saw=f"{len(found)} HTTPX client(s)",
            expected="none before the app starts",
            look="a client made at import belongs to nobody, and to no event loop yet",
        )
    return "Importing the module made no HTTPX client. Tests and tools can import it for free."


@criterion("requests share one connection", points=2)
async def one_connection(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        for _ in range(8):
            await expect_text(app, upstream)
        if upstream.opened != 1:
            raise Failed(
                called="GET /, eight times, one after the other",
                saw=f"{upstream.opened} upstream connections",
                expected="one, kept alive",
                look="a client per request opens a connection (and a TLS context) per request",
            )
    return "Eight requests, one connection. Over TLS that saves seven handshakes."


@criterion("fifty callers at once", points=2)
async def fifty(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        upstream.script = upstream.hold
        callers = app.call_many(MANY)
        called = f"{MANY} callers at once, first thing after start-up"
        await app.until(
            lambda: upstream.in_flight >= MANY,
            called=called,
            saw=lambda: f"{upstream.in_flight} upstream calls in flight",
            expected=f"{MANY} upstream calls in flight",
            look="a small limit, a lock, or a thread pool before the upstream; or no call at all",
            calls=callers,
        )
        await app.turn()
        upstream.released.set()
        replies = await app.answers(callers, called=called)
        texts = sorted(call.text for call in upstream.calls)
        if sorted(reply.text for reply in replies) != texts:
            raise Failed(
                called=called,
                saw="answers that are not the upstream's texts",
                expected="each caller its own upstream response",
            )
    return "Fifty calls in flight. One client's default limit is a hundred connections."


@criterion("fifty callers share one client", points=1)
async def share_one(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        upstream.script = upstream.hold
        callers = await app.call_together(MANY)
        called = f"{MANY} callers at once, first thing after start-up"
        await app.until(
            lambda: upstream.in_flight >= MANY,
            called=called,
            saw=lambda: f"{upstream.in_flight} upstream calls in flight",
            expected=f"{MANY} upstream calls in flight",
            calls=callers,
        )
        found = [c for c in await app.inside("clients") if not c["closed"]]
        if len(found) > 1:
            raise Failed(
                called=called,
                saw=f"{len(found)} open HTTPX clients",
                expected="one",
                look="a client for each request, or one that is awaited before it is kept",
            )
        upstream.released.set()
        await app.answers(callers, called=called)
    return (
        "No caller had an HTTPX client of its own. One made when it is first needed stays one only "
        "while nothing is awaited before it is kept; the lifespan needs no such care."
    )


@criterion("starts and stops cleanly", points=2)
async def stops(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        await expect_text(app, upstream)
        await stop(app, upstream)
        await app.end()
        await app.until(
            lambda: app.process.threads() <= 1,
            called="shutdown",
            saw=lambda: f"{app.process.threads() - 1} threads of the answer still run",
            expected="none",
        )
    return "No connection was left at the upstream, and the process was still alive."


async def stop(app: App, upstream: Upstream) -> None:
    await app.stop()
    await app.until(
        lambda: upstream.open == 0,
        called="shutdown, with the process still alive",
        saw=lambda: f"{upstream.open} connections open at the upstream",
        expected="none",
        look="`async with httpx.AsyncClient() as client: yield`, or `await client.aclose()`",
    )


@criterion("can be started again", points=1)
async def again(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        await expect_text(app, upstream)
        await stop(app, upstream)
        await app.start(load=False)
        await expect_text(app, upstream, "GET /, after the app was stopped and started again")
        await stop(app, upstream)
    return "A lifespan that makes its client makes a new one each time. Tests rely on that."
