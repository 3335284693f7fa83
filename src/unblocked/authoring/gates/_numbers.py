"""Finds numbers in prose that no cell prints, so that nobody could trace them."""

from __future__ import annotations

import re

from unblocked.authoring.notebooks import without_fences

_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?")
_NAMES = re.compile(
    r"`[^`]*`|\]\([^)]*\)|^\s*\d+\.|\b(?:20[0-6]|30[1-8]|40\d|422|429|499|50[0234])\b"
    r"(?! ?(?:ms|s|threads|callers|calls|MB|answers)\b)"
    r"|\b[Ll]essons? \d\d|\b\d\d ·|HTTP/\d\.\d"
    r"|\b(?:Python|HTTPX|FastAPI|Starlette|uvicorn) \d[\d.+]*|\b\d+\.\d+\.\d+\b",
    re.MULTILINE,
)


def untraced_numbers(prose: list[str], shown: str) -> list[str]:
    """Return the numbers in prose that no cell holds or prints (`shown`), so that nobody can trace
    them.

    Single digits are words here. HTTP status codes, versions, lessons and what stands in code spans
    are names, not measurements.
    """
    text = "\n".join(_NAMES.sub(" ", without_fences(part)) for part in prose)
    known = {_value(found[0]) for found in _NUMBER.finditer(shown)}
    numbers = [found[0].rstrip(",") for found in _NUMBER.finditer(text)]
    return [number for number in numbers if len(number) > 1 and not _is_traced(number, known)]


def _is_traced(number: str, known: set[float]) -> bool:
    """Return whether a cell shows the number; milliseconds may be seconds there, and a percentage a
    fraction.
    """
    value = _value(number)
    return not {value, value / 1000, value / 100}.isdisjoint(known)


def _value(number: str) -> float:
    return float(number.replace(",", ""))
