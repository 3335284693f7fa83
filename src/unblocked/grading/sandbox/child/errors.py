"""Finds in a log what an error says, and the answer's line that it came from."""

from __future__ import annotations

import re

_ERROR = re.compile(r"[\w.]*(?:Error|Exception|Timeout|Exit)\w*")
_LONGEST_LINE = 1000


def last_error(text: str) -> str:
    """Return the last error in a text with tracebacks, with the answer's line, or ''."""
    shown = [line[:_LONGEST_LINE] for line in text.splitlines()]
    errors = [line for line in shown if _ERROR.fullmatch(line.partition(":")[0][:100])]
    lines = re.findall(r'File "[^"]*answer\.py", line (\d+)', text)
    where = f" (line {lines[-1]} of your answer)" if lines else ""
    return errors[-1][:300] + where if errors else ""
