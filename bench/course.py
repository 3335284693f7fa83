"""What the course costs: each lesson and its cells, run from top to bottom as a learner would."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.report import Report, cell, significant

if TYPE_CHECKING:
    from bench.report import Row, Size

_NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
_MOST = {"tiny": 1, "quick": None, "full": None}
_CELL_SECONDS = 300


def study(size: Size) -> Report:
    """Seconds that each lesson computes. Raises `ImportError` without the development tools."""
    rows = [_lesson(path) for path in sorted(_NOTEBOOKS.glob("*.ipynb"))[: _MOST[size]]]
    whole = sum(float(row["seconds"]) for row in rows)
    return Report(
        title="How long the lessons compute",
        rows=rows,
        notes=[
            "Each lesson is run once from top to bottom in a kernel of its own, nobody reading or "
            "predicting in between. `slowest_cell_s` is the longest wait that a learner meets.",
            f"All together: {cell(whole)} s.",
        ],
        figures={"all lessons, seconds": significant(whole, 3)},
    )


def _lesson(path: Path) -> Row:
    import nbformat
    from nbclient import NotebookClient

    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    clock = _Clock()
    client = NotebookClient(
        notebook,
        timeout=_CELL_SECONDS,
        allow_errors=True,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=clock.begins,
        on_cell_executed=clock.ends,
    )
    began = time.perf_counter()
    client.execute()
    seconds = time.perf_counter() - began
    return {
        "lesson": path.stem,
        "seconds": significant(seconds, 3),
        "cells": len(clock.took),
        "slowest_cell_s": significant(max(clock.took, default=0.0), 3),
        "unexpected_errors": sum(_fails(one) for one in notebook.cells),
    }


class _Clock:
    """The seconds of each cell."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self._began = 0.0

    def begins(self, **about: Any) -> None:
        self._began = time.perf_counter()

    def ends(self, **about: Any) -> None:
        self.took.append(time.perf_counter() - self._began)


def _fails(one: Any) -> bool:
    meant = "raises-exception" in one.metadata.get("tags", ())
    outputs = one.get("outputs", ())
    return not meant and any(output["output_type"] == "error" for output in outputs)
