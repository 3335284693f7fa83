"""The article's example is quoted truly, and its faults are what course/article/README.md says.

Each fault is provoked at a real upstream: the published text, the names that it lacks, and one
change. Nothing here sleeps, and no time is compared.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.applications import Starlette

from unblocked import Upstream, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

COURSE = Path(__file__).resolve().parents[2] / "course"
EXAMPLE = (COURSE / "article/example.py").read_text("utf-8")
STARTER = (COURSE / "exercises/fix-the-article/starter.py").read_text("utf-8")
LESSON = (COURSE / "lessons/08-fix-the-article.md").read_text("utf-8")
COMMENTS = (
    "    # Make HTTPX requests in a loop",
    "    # Use a streaming response to return the first 50 chars of each response",
)
GATHERED = "await asyncio.gather(*[opened(client) for _ in range(5)])"


def published_in_the_lesson() -> str:
    found = re.search(r'^PUBLISHED = """\n(.*?)"""$', LESSON, re.MULTILINE | re.DOTALL)
    assert found, "lesson 08 has no string PUBLISHED"
    return found[1]


def shown_in_lesson_00() -> str:
    text = (COURSE / "lessons/00-start-here.md").read_text("utf-8")
    found = re.search(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, "lesson 00 shows no block of Python"
    return found[1]


# --- the quotation -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "quoted",
    [STARTER, published_in_the_lesson(), shown_in_lesson_00()],
    ids=["starter", "lesson 08", "lesson 00"],
)
def test_the_example_is_quoted_statement_for_statement_with_its_comments(quoted: str) -> None:
    assert ast.dump(ast.parse(quoted)) == ast.dump(ast.parse(EXAMPLE))
    assert [comment for comment in COMMENTS if comment not in quoted] == []


def test_the_example_has_the_comments_of_the_article() -> None:
    assert [comment for comment in COMMENTS if comment not in EXAMPLE] == []


@pytest.mark.parametrize("where", ["LICENSE", "course/article/README.md"])
def test_the_source_is_named(where: str) -> None:
    said = " ".join((COURSE.parent / where).read_text("utf-8").split())
    title = "Why is it not recommended to use ThreadPoolExecutor in FastAPI endpoints?"
    assert title in said
    assert "What stands on Stack Overflow is under CC BY-SA 4.0" in said


def test_the_lesson_names_the_source() -> None:
    assert "ThreadPoolExecutor in FastAPI endpoints?" in " ".join(LESSON.split())


# --- the faults ----------------------------------------------------------------------------------


def changed(text: str, old: str, new: str) -> str:
    """The text with one thing changed."""
    assert text.count(old) == 1
    return text.replace(old, new)


OPENED = """\
async def opened(client):
    async with send(client) as response:
        return response


@app.get('/')"""
ENTERED = changed(changed(EXAMPLE, "@app.get('/')", OPENED), "await send(", "await opened(")
"""`send` is entered and left, and the responses are collected, as in the article."""
IMPATIENT = changed(ENTERED, "read=15.0", "read=15.0, pool=0.5")
CLOSING = changed(
    ENTERED,
    "    yield await client.send(req, stream=True)",
    "    response = await client.send(req, stream=True)\n"
    "    try:\n        yield response\n    finally:\n        await response.aclose()",
)


async def iter_response(responses: list[httpx.Response]) -> AsyncIterator[str]:
    """What the article's comment asks for, closing each response when it is read."""
    for response in responses:
        async for piece in response.aiter_text():
            yield piece[:50] + "\n"
            break
        await response.aclose()


class Served:
    """An example, served: it answers what its endpoint raises, and keeps what its stream raises."""

    def __init__(self, text: str, **names: Any) -> None:
        module: dict[str, Any] = {"__name__": "article", **names}
        exec(text, module)
        self.app: FastAPI = module["app"]
        self.errors: list[BaseException] = []
        for kind in (TypeError, NameError, httpx.HTTPError):
            self.app.add_exception_handler(kind, self._tell)

    async def _tell(self, _: object, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(f"{type(error).__name__}: {error}", status_code=500)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            self.errors.append(error)

    @contextlib.asynccontextmanager
    async def callers(self) -> AsyncIterator[httpx.AsyncClient]:
        with serve(self) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
                yield client


def answers(text: str, callers: int = 1, **names: Any) -> list[httpx.Response]:
    """What so many callers get who ask at the same time."""

    async def ask() -> list[httpx.Response]:
        async with Served(text, **names).callers() as client:
            return await asyncio.gather(*[client.get("/") for _ in range(callers)])

    return asyncio.run(ask())


def told(text: str, **names: Any) -> str:
    """The error that the app tells its only caller."""
    (answer,) = answers(text, **names)
    assert answer.status_code == 500
    return answer.text


@pytest.fixture(scope="module")
def started() -> Iterator[Upstream]:
    with Upstream(delay=0, size=2000) as upstream:
        yield upstream


@pytest.fixture
def upstream(started: Upstream) -> Upstream:
    started.delay = 0
    started.reset()
    return started


@pytest.fixture
def names(upstream: Upstream) -> dict[str, Any]:
    """The three names that the article uses and never defines."""
    return {
        "URL": upstream.url,
        "StreamingResponse": StreamingResponse,
        "iter_response": iter_response,
    }


def without(names: dict[str, Any], *missing: str) -> dict[str, Any]:
    return {name: value for name, value in names.items() if name not in missing}


async def bare(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    """A lifespan as the article has it."""
    yield {"client": "open"}


@pytest.mark.parametrize(
    ("framework", "warned"),
    [
        (FastAPI, []),
        (
            Starlette,
            [
                "async generator function lifespans are deprecated, "
                "use an @contextlib.asynccontextmanager function instead"
            ],
        ),
    ],
)
def test_fault_0_a_bare_lifespan_is_wrapped(framework: Any, warned: list[str]) -> None:
    async def state() -> Any:
        async with app.router.lifespan_context(app) as state:
            return state

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        app = framework(lifespan=bare)
    assert [str(warning.message) for warning in caught] == warned
    assert asyncio.run(state()) == {"client": "open"}


def test_fault_1_send_is_awaited() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        said = told(EXAMPLE)
    object_ = "_AsyncGeneratorContextManager"
    assert said == f"TypeError: object {object_} can't be used in 'await' expression"
    assert not [warning for warning in caught if warning.category is RuntimeWarning]


def test_fault_1_taking_the_decorator_off_gains_nothing() -> None:
    plain = changed(EXAMPLE, "@asynccontextmanager\nasync def send", "async def send")
    assert told(plain) == "TypeError: object async_generator can't be used in 'await' expression"


def test_fault_2_url_is_missed_before_any_connection(
    upstream: Upstream, names: dict[str, Any]
) -> None:
    assert told(ENTERED, **without(names, "URL")) == "NameError: name 'URL' is not defined"
    assert upstream.counts.opened == 0


@pytest.mark.parametrize("missing", ["StreamingResponse", "iter_response"])
def test_faults_3_and_4_a_name_is_missed_with_five_connections_open(
    missing: str, upstream: Upstream, names: dict[str, Any]
) -> None:
    async def in_turn() -> list[tuple[str, int]]:
        async with Served(IMPATIENT, **without(names, missing)).callers() as client:
            return [((await client.get("/")).text, upstream.counts.open) for _ in range(3)]

    said = f"NameError: name '{missing}' is not defined"
    assert asyncio.run(in_turn()) == [(said, 5), (said, 10), ("PoolTimeout: ", 10)]


def test_fault_5_leaving_the_block_closes_nothing(upstream: Upstream) -> None:
    module = {"__name__": "article", "URL": f"{upstream.url}?size=5000000"}
    exec(EXAMPLE, module)
    send: Any = module["send"]

    async def in_turn() -> list[Any]:
        seen: list[Any] = []
        limits, timeout = httpx.Limits(max_connections=2), httpx.Timeout(10, pool=0.1)
        async with httpx.AsyncClient(limits=limits, timeout=timeout) as client:
            for _ in range(2):
                async with send(client) as response:
                    pass
                seen += [response.is_closed, upstream.counts.open]
            with pytest.raises(httpx.PoolTimeout) as raised:
                async with send(client):
                    pass
        return [*seen, str(raised.value)]

    assert asyncio.run(in_turn()) == [False, 1, False, 2, ""]


def test_fault_5_an_error_in_the_block_closes_nothing_either(upstream: Upstream) -> None:
    module = {"__name__": "article", "URL": upstream.url}
    exec(EXAMPLE, module)
    send: Any = module["send"]

    async def closed() -> bool:
        async with httpx.AsyncClient() as client:
            with pytest.raises(ZeroDivisionError):
                async with send(client) as response:
                    raise ZeroDivisionError
            return bool(response.is_closed)

    assert asyncio.run(closed()) is False


def test_fault_6_is_hidden_while_nothing_closes(names: dict[str, Any]) -> None:
    async def in_turn() -> list[int]:
        async with Served(IMPATIENT, **names).callers() as client:
            return [(await client.get("/")).status_code for _ in range(4)]

    assert asyncio.run(in_turn()) == [200, 200, 200, 200]


def test_fault_6_a_list_that_outlives_the_block_breaks_off(names: dict[str, Any]) -> None:
    served = Served(CLOSING, **names)

    async def ask() -> tuple[int, str]:
        async with served.callers() as client, client.stream("GET", "/") as answer:
            with pytest.raises(httpx.RemoteProtocolError) as raised:
                await answer.aread()
            return answer.status_code, str(raised.value)

    broken = "peer closed connection without sending complete message body"
    assert asyncio.run(ask()) == (200, f"{broken} (incomplete chunked read)")
    (error,) = leaves(served.errors)
    assert isinstance(error, httpx.StreamClosed)
    closed = "but the stream has been closed."
    assert str(error) == f"Attempted to read or stream content, {closed}"


def leaves(errors: Any) -> list[BaseException]:
    """Errors without the groups that they came in."""
    return [
        leaf
        for error in errors
        for leaf in (leaves(error.exceptions) if hasattr(error, "exceptions") else [error])
    ]


def test_fault_7_one_call_after_the_other(upstream: Upstream, names: dict[str, Any]) -> None:
    (answer,) = answers(ENTERED, **names)
    assert (answer.status_code, len(answer.text.splitlines())) == (200, 5)
    assert upstream.counts.peak == 1


def test_fault_8_three_callers_deadlock(upstream: Upstream, names: dict[str, Any]) -> None:
    upstream.delay = 0.1
    upstream.gather_at(3)  # they begin together
    got = [(answer.status_code, answer.text) for answer in answers(IMPATIENT, 3, **names)]
    assert got == [(500, "PoolTimeout: ")] * 3


def test_fault_8_gather_hides_it(upstream: Upstream, names: dict[str, Any]) -> None:
    text = changed(ENTERED, "[await opened(client) for _ in range(5)]", GATHERED)
    assert {answer.status_code for answer in answers(text, 10, **names)} == {200}


def test_fault_9_no_content_type(names: dict[str, Any]) -> None:
    (answer,) = answers(ENTERED, **names)
    assert "content-type" not in answer.headers


def test_fault_10_an_error_page_becomes_data(upstream: Upstream, names: dict[str, Any]) -> None:
    (answer,) = answers(ENTERED, **names | {"URL": f"{upstream.url}?status=500"})
    assert answer.status_code == 200
    assert [len(line) for line in answer.text.splitlines()] == [50] * 5
