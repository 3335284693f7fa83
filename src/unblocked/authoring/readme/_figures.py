"""The table of README.md: answers, threads and CPU of each way to make the calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from unblocked.course import CourseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Row = dict[str, Any]

RESULTS = "bench/results/fanout.json"
_DELAY_MS = 200
_MEASURED = f"Upstream of {_DELAY_MS} ms"
_USERS = (1, 10, 50, 200)
_TOLD = 200
_COLD = "¹"
_SHOWN = {
    "a thread pool for each request, requests": "`requests` in five threads for each caller",
    "one pool of 100 threads, requests": "`requests` in 100 threads for all",
    "httpx.AsyncClient as it comes, with its limit of 100": (
        "`httpx.AsyncClient` as it comes, with its limit of 100 connections"
    ),
    "httpx.AsyncClient, 1000 connections, 20 kept": "`httpx.AsyncClient`, 20 connections kept",
    "httpx2.AsyncClient, 1000 connections, 20 kept": "`httpx2.AsyncClient`, 20 connections kept",
    "HttpxAiohttpClient": "HTTPX over aiohttp's pool",
    "Httpx2AiohttpClient, rare collection": (
        "**HTTPX2 over aiohttp's pool, garbage collected rarely**: what lesson 10 recommends"
    ),
    "aiohttp": "aiohttp itself",
}
"""The study's name of a variant → what the table calls it."""
_HEAD = (
    "| five calls in an endpoint, made with | 1 caller | 10 callers | 50 callers | 200 callers "
    "| threads added | CPU for a call |",
    "|---|--:|--:|--:|--:|--:|--:|",
)


def figures(root: Path) -> str:
    """Return the table, and where it was measured.

    Raises:
        CourseError: the results are not there, or not those of the fan-out study.
    """
    try:
        study = json.loads((root / RESULTS).read_text(encoding="utf-8"))
        return "\n".join([*_HEAD, *(_row(study, name) for name in _SHOWN), "", _source(study)])
    except (OSError, ValueError, LookupError, TypeError) as error:
        fix = "`python3 start.py bench fanout --full` makes them"
        raise CourseError(f"README.md shows figures of {RESULTS}: {fix} ({error!r}).") from error


def _row(study: Any, name: str) -> str:
    told = _find_row(study["tables"][_MEASURED], variant=name, users=_TOLD)
    cells = [
        _SHOWN[name],
        *(_answers(row) for row in _by_users(study, name)),
        f"{told['threads_added']:,}",
        f"{told['cpu_ms_per_call']:.2g} ms",
    ]
    return f"| {' | '.join(cells)} |"


def _by_users(study: Any, name: str) -> Iterator[Row | None]:
    """Yield the row for each number of callers; None where that was not measured."""
    for users in _USERS:
        try:
            yield _find_row(study["tables"][_MEASURED], variant=name, users=users)
        except LookupError:
            yield None


def _answers(row: Row | None) -> str:
    if row is None:
        return "not tried"
    mark = _COLD if _only_cold(row) else ""
    return f"{row['answers_per_second']:,.0f}{mark}{_failures(row)}"


def _only_cold(row: Row) -> bool:
    return bool(row["first_round_only"] == "yes")


def _failures(row: Row) -> str:
    """Return how many calls failed, and of how many where that is known: in a first round each
    caller asks once.
    """
    if not row["errors"]:
        return ""
    of = f" of {row['users']:,}" if _only_cold(row) and row["repetitions"] == 1 else ""
    return f", {row['errors']:,}{of} failed"


def _find_row(rows: list[Row], **wanted: object) -> Row:
    for row in rows:
        if wanted.items() <= row.items():
            return row
    raise LookupError(f"no row with {wanted}")


def _source(study: Any) -> str:
    where = study["surroundings"]
    shown = [row for name in _SHOWN for row in _by_users(study, name) if row is not None]
    rounds = min(row["repetitions"] for row in shown)
    return (
        f"*Answers per second; calls of {_DELAY_MS} ms, so that the ideal is callers ÷ "
        f"{_DELAY_MS / 1000:g}. Up to 1,000 connections unless the row says otherwise. Medians of "
        f"{rounds} rounds on {where['cores']} cores ({where['processor']}), "
        f"{where['date'].partition(' ')[0]}, {_how(shown)} Threads and CPU are those at {_TOLD} "
        f"callers. Made again by `python3 start.py bench fanout --{where['size']}`.*"
    )


def _how(shown: list[Row]) -> str:
    """Return whether connections were open already, and what counts as failed if anything did."""
    how = "warm."
    if any(map(_only_cold, shown)):
        how = (
            f"warm but for {_COLD}: there the first round, in which connections are opened, took "
            "so long that no other followed."
        )
    if any(row["errors"] for row in shown):
        how += " Failed: answered with an error, or not in time; not counted as answers."
    return how
