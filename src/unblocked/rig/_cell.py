"""Which notebook cell is running, so that what it started can be replaced when it runs again."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Stoppable(Protocol):
    """Something that a cell started and that can be stopped."""

    def stop(self) -> None: ...


class Cell(NamedTuple):
    """One run of one cell."""

    cell: str
    run: str


class _Kept(NamedTuple):
    """What a run of a cell started, under the kind of thing that it is."""

    kind: str
    cell: Cell
    thing: _Stoppable


_lock = threading.Lock()
_kept: list[_Kept] = []


def running_cell() -> Cell | None:
    """Return the cell that is being executed, or None outside a Jupyter kernel.

    JupyterLab says which cell it runs; where the front end does not, its text stands for it.
    """
    message = _execute_request()
    if message is None:
        return None
    code = str(message.get("content", {}).get("code", ""))
    cell = message.get("metadata", {}).get("cellId") or code
    return Cell(str(cell), str(message["header"]["msg_id"]))


def _execute_request() -> dict[str, Any] | None:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    kernel = getattr(shell, "kernel", None)
    message: dict[str, Any] = kernel.get_parent("shell") if kernel is not None else {}
    is_cell = message.get("header", {}).get("msg_type") == "execute_request"
    return message if is_cell else None


def stop_earlier(kind: str) -> None:
    """Stop what earlier runs of the running cell started under `kind`."""
    now = running_cell()
    if now is None:
        return
    _stop(kept for kept in _snapshot() if kept.kind == kind and _is_earlier(kept.cell, now))


def keep(kind: str, thing: _Stoppable) -> None:
    """Remember that the running cell started `thing`, until `forget`."""
    cell = running_cell()
    if cell is not None:
        with _lock:
            _kept.append(_Kept(kind, cell, thing))


def forget(thing: _Stoppable) -> None:
    """Drop `thing`, which has stopped."""
    with _lock:
        _kept[:] = [kept for kept in _kept if kept.thing is not thing]


def _is_earlier(then: Cell, now: Cell) -> bool:
    return then.cell == now.cell and then.run != now.run


def _snapshot() -> list[_Kept]:
    with _lock:
        return list(_kept)


def _stop(chosen: Iterable[_Kept]) -> None:
    for kept in chosen:
        kept.thing.stop()
