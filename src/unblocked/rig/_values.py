"""Checks of the values that people give to the rig: one that makes no sense is refused at once, in
a sentence.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def whole(name: str, value: Any, *, least: int) -> None:
    """Raise `ValueError` when `value` is not a whole number of at least `least`."""
    if not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number {_from(least)}, not {value!r}")


def seconds(name: str, value: Any) -> None:
    """Raise `ValueError` when `value` is not a number of seconds."""
    if not _finite(value) or value < 0:
        raise ValueError(f"{name} must be a number of seconds, 0 or more, not {value!r}")


def positive(name: str, value: Any) -> None:
    """Raise `ValueError` when `value` is not a number greater than 0."""
    if not _finite(value) or value <= 0:
        raise ValueError(f"{name} must be a number greater than 0, not {value!r}")


def text(name: str, value: Any) -> None:
    """Raise `ValueError` when `value` is not a `str`."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, not {value!r}")


def headers(values: Mapping[Any, Any]) -> None:
    """Raise `ValueError` when names or values are not all text."""
    for name, value in values.items():
        for found in (name, value):
            if not isinstance(found, str):
                fix = {str(name): str(value)}
                raise ValueError(f"headers must be text, not {found!r}: write {fix}")


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _from(least: int) -> str:
    return "greater than 0" if least == 1 else f"of {least} or more"
