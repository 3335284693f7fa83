"""Objects that a call leaves behind and that only the cycle collector frees, for each client.

Counted, not timed: a busy machine does not change a count. An object that refers to itself, by
whatever detour, is not freed when the last name for it goes; it waits for the collector, which
stops the program and looks at many objects each time.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import TYPE_CHECKING, Any

from bench.pool import KINDS
from bench.report import Report, cell, significant
from unblocked.rig import Upstream

if TYPE_CHECKING:
    from bench.report import Row, Size

_CALLS = {"tiny": 20, "quick": 200, "full": 1000}
_WARM = 5
_KEPT = 100


def study(size: Size) -> Report:
    """Objects for each call, and of which kinds they are."""
    rows, kinds = asyncio.run(_study(_CALLS[size]))
    told = {row["client"]: row["objects_per_call"] for row in rows}
    return Report(
        title="What a call leaves for the garbage collector",
        rows=rows,
        notes=[
            f"Each client makes {_CALLS[size]} calls, one after the other, over a kept connection, "
            "with the collector switched off; then it is called once, and says how many objects "
            "it has found. What reference counting frees by itself is not among them.",
            f"Stock HTTPX leaves {cell(told['httpx'])} objects for each call, httpx2 "
            f"{cell(told['httpx2'])}, HttpxAiohttpClient {cell(told['HttpxAiohttpClient'])}, "
            f"Httpx2AiohttpClient {cell(told['Httpx2AiohttpClient'])}.",
        ],
        tables={"Of which kinds, for each call": kinds},
        figures={f"{client}, objects per call": many for client, many in told.items()},
    )


async def _study(calls: int) -> tuple[list[Row], list[Row]]:
    rows, kinds = [], []
    with Upstream(delay=0.0) as upstream:
        for name, open_client in KINDS.items():
            async with open_client(_KEPT, _KEPT) as client:
                found = await _left_behind(client, upstream.url, calls)
            each = significant(found.total() / calls, 3)
            rows.append({"client": name, "objects_per_call": each, "calls": calls})
            for kind, many in found.most_common(5):
                each = significant(many / calls, 3)
                if each >= 1:
                    kinds.append({"client": name, "kind": kind, "objects_per_call": each})
    return rows, kinds


async def _left_behind(client: Any, url: str, calls: int) -> Counter[str]:
    """The kinds of the objects that only the collector found, after so many calls."""
    for _ in range(_WARM):
        await client.get(url)
    gc.collect()
    gc.disable()
    flags = gc.get_debug()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(calls):
            await client.get(url)
        gc.collect()
        return Counter(type(each).__qualname__ for each in gc.garbage)
    finally:
        gc.set_debug(flags)
        gc.garbage.clear()
        gc.enable()
