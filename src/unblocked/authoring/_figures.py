"""The table of README.md that says which way to make the calls holds up to what load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from unblocked.course import CourseError

if TYPE_CHECKING:
    from pathlib import Path

    Row = dict[str, Any]

RESULTS = "bench/results/fanout.json"
_CHOICE = "Which one, up to what load"
_DELAY_MS = 200
_SHOWN = (
    "a thread pool per request, requests",
    "one pool of 100 threads, requests",
    "httpx.AsyncClient, default limits",
    "50 httpx.AsyncClients of 20 connections in turn",
    "httpx2.AsyncClient, 1000 connections, 20 kept",
    "HttpxAiohttpClient",
    "aiohttp",
)
_HEAD = (
    "| how the endpoint makes its five calls | near the ideal up to | answers/s, 50 callers "
    "| 200 callers | 1,000 callers | threads added | CPU ms a call |",
    "|---|--:|--:|--:|--:|--:|--:|",
)


def figures(root: Path) -> str:
    """The table, and where it was measured.

    Raises:
        CourseError: the results are not there, or not those of the fan-out study.
    """
    try:
        study = json.loads((root / RESULTS).read_text(encoding="utf-8"))
        return "\n".join([*_HEAD, *(_row(study, name) for name in _SHOWN), "", _source(study)])
    except (OSError, ValueError, LookupError, TypeError) as error:
        mend = "`python3 start.py bench fanout --full` makes them"
        raise CourseError(f"README.md shows figures of {RESULTS}: {mend} ({error!r}).") from error


def _row(study: Any, name: str) -> str:
    row = _found(study["rows"], variant=name)
    near = _found(study["tables"][_CHOICE], variant=name, delay_ms=_DELAY_MS)
    cells = [
        name,
        _callers(near["80 % of the ideal up to users"]),
        *(_rounded(row[f"answers/s, {users} users"]) for users in (50, 200, 1000)),
        _rounded(row["threads_added"]),
        f"{row['cpu_ms_per_call']:.2g}",
    ]
    return f"| {' | '.join(cells)} |"


def _found(rows: list[Row], **wanted: object) -> Row:
    for row in rows:
        if wanted.items() <= row.items():
            return row
    raise LookupError(f"no row with {wanted}")


def _callers(most: int | None) -> str:
    return "never" if most is None else f"{most} caller{'s' * (most > 1)}"


def _rounded(number: float | None) -> str:
    return "not tried" if number is None else f"{number:,.0f}"


def _source(study: Any) -> str:
    where = study["surroundings"]
    return (
        f"*Calls of {_DELAY_MS} ms on {where['cores']} cores ({where['processor']}), warm, "
        f"{where['date'].partition(' ')[0]}; near the ideal: four fifths of callers ÷ delay. "
        "Threads and CPU are those at 200 callers. Made again by "
        f"`python3 start.py bench fanout --{where['size']}`.*"
    )
