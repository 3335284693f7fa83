"""Looks at an answer from inside its process: evidence for messages, worth few points.

A room's `inside.py` finds these names beside its own, and `answer`, the learner's module. Learner
code shares the process and could forge all of it. What is used here is taken from other modules by
name, when this one is executed: so no answer changes it by a mere assignment.
"""

from __future__ import annotations

import gc
import inspect
import sys
from contextlib import AbstractAsyncContextManager
from gc import get_objects
from typing import Any

import fastapi

_lifespans: list[Any] = []
_CLIENTS = {
    *("httpx.AsyncClient", "httpx.Client", "httpx2.AsyncClient", "httpx2.Client"),
    *("aiohttp.ClientSession", "requests.Session"),
}
"""Clients of all libraries of the course, each by the package and its own name."""


def watch() -> None:
    """Remember from now on what is handed to `FastAPI(lifespan=…)`, or to a router.

    And let nothing be frozen: `get_objects` would not list it. To unfreeze all takes 30 ms.
    """
    gc.freeze = lambda: None
    original = fastapi.APIRouter.__init__  # every app has one, and hands its lifespan on to it

    def remembering(self: fastapi.APIRouter, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("lifespan") is not None:
            _lifespans.append(kwargs["lifespan"])
        original(self, *args, **kwargs)

    fastapi.APIRouter.__init__ = remembering  # type: ignore[method-assign]


def lifespan() -> str:
    """Return what was given last as a lifespan: "none", "enterable", or a type's name."""
    given = _lifespans[-1] if _lifespans else _of_router()
    if given is None:
        return "none"
    if inspect.isasyncgenfunction(given) or inspect.isgeneratorfunction(given):
        return "a bare generator function"
    made = given(fastapi.FastAPI())
    fits = isinstance(made, AbstractAsyncContextManager) or hasattr(type(made), "__aenter__")
    if inspect.iscoroutine(made):
        made.close()
    return "enterable" if fits else type(made).__name__


def _of_router() -> Any:
    """Return the lifespan that was put into the app's router later, as Starlette
    allows, or None.
    """
    app = getattr(sys.modules.get("answer"), "app", None)
    found = getattr(getattr(app, "router", None), "lifespan_context", None)
    return None if type(found).__name__ == "_DefaultLifespan" else found


def _of_httpx(*names: str) -> tuple[type, ...]:
    """These classes of HTTPX, and of its continuation HTTPX2 where the answer uses that."""
    here = [module for module in ("httpx", "httpx2") if module in sys.modules]
    return tuple(getattr(sys.modules[module], name) for module in here for name in names)


def clients() -> list[dict[str, Any]]:
    """Return the HTTPX clients that exist: kind, closed or not, and timeouts in seconds."""
    kinds = _of_httpx("AsyncClient", "Client")
    return [
        {"kind": type(o).__name__, "closed": o.is_closed, "timeout": o.timeout.as_dict()}
        for o in get_objects()
        if issubclass(type(o), kinds)
    ]


def open_clients() -> list[str]:
    """The kinds of the HTTP clients that exist and are not closed, whichever library they are of.

    They are known by name: a library that an answer imports a second time is the same one. Sessions
    that HTTPX itself may keep, by its transport for aiohttp, are left out.
    """
    objects = get_objects()
    kinds = {kind: _kind_of_client(kind) for kind in set(map(type, objects))}
    kept_by_httpx = "aiohttp.ClientSession" if "httpx_aiohttp" in sys.modules else ""
    found = [one for one in objects if kinds[type(one)] not in ("", kept_by_httpx)]
    return [kinds[type(one)] for one in found if not _is_closed(one)]


def _is_closed(client: Any) -> bool:
    return bool(getattr(client, "is_closed", False) or getattr(client, "closed", False))


def _kind_of_client(kind: type) -> str:
    """Which of the known clients a class is, or is made from, or ''."""
    names = (f"{str(c.__module__).partition('.')[0]}.{c.__qualname__}" for c in kind.__mro__)
    return next((name for name in names if name in _CLIENTS), "")


def timeouts_of_calls() -> list[Any]:
    """Return the timeouts in seconds of HTTPX's requests that exist; None of one that has none."""
    kinds = _of_httpx("Request")
    return [o.extensions.get("timeout") for o in get_objects() if issubclass(type(o), kinds)]
