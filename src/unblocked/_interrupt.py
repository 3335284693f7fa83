"""What a learner sees when a cell is interrupted: a traceback that ends in the cell."""

from __future__ import annotations

import asyncio
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

P = ParamSpec("P")
R = TypeVar("R")


def interruptible(function: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Have an interrupt of the cell that awaits this show the line of the cell, and none of ours.

    It is still the `CancelledError` that whoever cancels a task counts on, with what AnyIO's scopes
    tell themselves by; only its traceback begins anew.
    """

    @wraps(function)
    async def awaited(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await function(*args, **kwargs)
        except asyncio.CancelledError as error:
            raise asyncio.CancelledError(*error.args or ("interrupted",)) from None

    return awaited
