"""What an answer's process may say: learners' code is in there, and could say anything.

A shape is a type; a list of one shape, for a list of any length; or a dict of shapes, for a dict
that has these keys at least. `object` is anything.
"""

from __future__ import annotations

from types import NoneType
from typing import Any

Shape = Any

OF_ORDERS: dict[str, Shape] = {
    "start": int,
    "stop": bool,
    "end": NoneType,
    "freeze": NoneType,
    "watch": NoneType,
    "forward": NoneType,
    "timer": float,
    "tests": [str],
    "test": str,
}
"""Of what comes back from each thing that the process is told to do, but for calls."""
OF_CALLS: dict[str, Shape] = {
    "lifespan": str,
    "clients": [{"kind": str, "closed": bool, "timeout": dict}],
    "open_clients": [str],
    "timeouts_of_calls": [object],
}
"""Of what the functions of `grading.inside` give."""


def fits(value: Any, shape: Shape) -> bool:
    """Return whether a value that came as JSON has this shape; True does not count as a number."""
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(item, shape[0]) for item in value)
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(fits(value.get(k), s) for k, s in shape.items())
    return shape is object or type(value) is shape
