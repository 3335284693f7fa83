"""Tries a published example: runs its text as an app, calls it, and prints the replies.

The text stays a string, so that it can be run again and again with one thing changed. Import it as
`from unblocked.rig.example import ask`: the rig itself does not need FastAPI or HTTPX.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
from fastapi.responses import PlainTextResponse

from unblocked.rig.server import serve

if TYPE_CHECKING:
    from fastapi import FastAPI

PATIENCE = 60.0
"""Seconds for which a caller waits: longer than any timeout that an example is likely to have."""
_TOLD = (ArithmeticError, AttributeError, LookupError, NameError, TypeError, ValueError)


def module_from(text: str, **names: Any) -> dict[str, Any]:
    """Run `text` as a module in which `names` are bound; return the names that it then has.

    Raises what the text raises.
    """
    module = {"__name__": "example", **names}
    exec(text, module)
    return module


def app_from(text: str, **names: Any) -> FastAPI:
    """Return the `app` of `text`, changed so that it answers 500 with the error that its endpoint
    raises.

    An error in the middle of a streamed answer cannot be told so: its status has gone out.
    Raises what the text raises, and `KeyError` when it defines no `app`.
    """
    app: FastAPI = module_from(text, **names)["app"]
    for kind in (*_TOLD, httpx.HTTPError, httpx.StreamError):
        app.add_exception_handler(kind, _tell)
    return app


async def _tell(_: object, error: Exception) -> PlainTextResponse:
    return PlainTextResponse(_line(error), status_code=500)


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


async def told(client: httpx.AsyncClient, url: str) -> str:
    """Return what one caller of `url` gets, in one line.

    Status and text of an error; status, content type and number of lines of anything else; status
    and error of an answer that breaks off. Raises `httpx.HTTPError` when there is no answer at all.
    """
    async with client.stream("GET", url) as answer:
        try:
            await answer.aread()
        except httpx.HTTPError as error:
            return f"{answer.status_code}, then {_line(error)}"
    if answer.is_error:
        return f"{answer.status_code} {answer.text}"
    kind = answer.headers.get("content-type", "none")
    return f"{answer.status_code}, content type: {kind}, lines: {len(answer.text.splitlines())}"


async def ask(text: str, callers: int = 1, **names: Any) -> list[str]:
    """Serve the app of `text` to `callers` who ask at the same time; print and return their lines.

    Equal lines are printed once, with how many callers got them.
    """
    with serve(app_from(text, **names)) as server:
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            got = await asyncio.gather(*[told(client, server.url) for _ in range(callers)])
    for line, times in Counter(got).items():
        print(f"{times} x {line}")
    return got
