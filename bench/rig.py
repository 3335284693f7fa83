"""What the rig itself costs, and the load at which its generator says that it is the limit."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import requests
from fastapi import FastAPI

from bench.report import Report, cell, middle, significant, spread
from unblocked.rig import Meter, Upstream, load, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.report import Row, Size

_REPETITIONS = {"tiny": 1, "quick": 5, "full": 15}
_USERS = {"tiny": (1, 2), "quick": (1, 10, 50, 200), "full": (1, 10, 50, 100, 200, 500, 1000)}
_SECONDS = {"tiny": 0.2, "quick": 2.0, "full": 5.0}


def study(size: Size) -> Report:
    """Starting, sampling, and how many requests a second the generator can make."""
    many = _REPETITIONS[size]
    rows = [_timed(what, one, many) for what, one in _PARTS.items()]
    ceiling = _ceilings(size)
    return Report(
        title="What the rig costs",
        rows=rows,
        notes=[
            "Milliseconds of wall time, medians; the rig's processes are started anew each time.",
            "The load generator runs against an upstream that answers at once. wrk is a load "
            "generator in C: what it gets more is what ours leaves. `limited` is what the result "
            f"itself says. {_summary(ceiling)}",
        ],
        tables={"The load generator's ceiling": ceiling},
    )


def _timed(what: str, one: Callable[[], float], many: int) -> Row:
    values = [significant(1000 * one(), 3) for _ in range(many)]
    return {"what": what, "ms": middle(values, 3), "spread": spread(values), "times": many}


def _first_answer() -> float:
    app = FastAPI()
    app.get("/")(lambda: "here")
    began = time.perf_counter()
    with serve(app) as server:
        assert requests.get(server.url, timeout=10).ok
        return time.perf_counter() - began


def _upstream_started() -> float:
    began = time.perf_counter()
    with Upstream(delay=0.0):
        return time.perf_counter() - began


def _load_started() -> float:
    with Upstream(delay=0.0) as upstream:
        began = time.perf_counter()
        asyncio.run(load(upstream.url, users=1, requests=1))
        return time.perf_counter() - began


def _sampled() -> float:
    """Seconds of CPU for each sample of an idle process."""
    before = time.process_time()
    with Meter() as meter:
        time.sleep(1.0)
    return (time.process_time() - before) / len(meter.rows)


_PARTS = {
    "serve: from the call to the first answer": _first_answer,
    "Upstream: from the call until it answers": _upstream_started,
    "load: one request in all": _load_started,
    "Meter: CPU for each sample": _sampled,
}


def _ceilings(size: Size) -> list[Row]:
    with Upstream(delay=0.0, size=10) as upstream:
        return [_ceiling(upstream.url, users, _SECONDS[size]) for users in _USERS[size]]


def _ceiling(url: str, users: int, seconds: float) -> Row:
    result = asyncio.run(load(url, users=users, duration=seconds))
    return {
        "users": users,
        "load_per_second": significant(result.per_second, 3),
        "load_p50_ms": significant(1000 * result.p50, 3),
        "cores_used": significant(result.cpu, 2),
        "timers_late_ms": significant(1000 * result.lag, 2),
        "limited": "yes" if result.limited else "no",
        "wrk_per_second": _wrk(url, users, seconds),
    }


def _wrk(url: str, users: int, seconds: float) -> float | None:
    if shutil.which("wrk") is None:
        return None
    whole = max(1, round(seconds))
    command = ["wrk", "-t1", f"-c{users}", f"-d{whole}s", f"{url}/"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    found: Any = re.search(r"Requests/sec:\s*([\d.]+)", said)
    return significant(float(found[1]), 3) if found else None


def _summary(rows: list[Row]) -> str:
    best = max(float(row["load_per_second"]) for row in rows)
    said = [row["users"] for row in rows if row["limited"] == "yes"]
    first = f"from {cell(min(said))} users on" if said else "at no load tried here"
    return f"At most {cell(best)} requests a second; it says that it is the limit {first}."
