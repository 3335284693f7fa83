"""What the notebooks import: a server, an upstream, load, pictures of both, and the grader.

Names are loaded when first used, so that marking an answer does not import the charts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unblocked.rig import Upstream as Upstream
    from unblocked.rig import load as load
    from unblocked.rig import serve as serve
    from unblocked.show import compare as compare
    from unblocked.show import now_you as now_you
    from unblocked.show import predict as predict
    from unblocked.show import progress as progress
    from unblocked.show import quiz as quiz
    from unblocked.show._check import check as check

_HOME = {
    "Upstream": "unblocked.rig",
    "serve": "unblocked.rig",
    "load": "unblocked.rig",
    "compare": "unblocked.show",
    "now_you": "unblocked.show",
    "predict": "unblocked.show",
    "progress": "unblocked.show",
    "quiz": "unblocked.show",
    "check": "unblocked.show._check",
}
__all__ = [
    "Upstream",
    "check",
    "compare",
    "load",
    "now_you",
    "predict",
    "progress",
    "quiz",
    "serve",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'unblocked' has no attribute {name!r}")
    if name == "serve":
        _let_servers_be_watched()
    return getattr(import_module(_HOME[name]), name)


def _let_servers_be_watched() -> None:
    """`server.watch()` is drawn by show, which the rig does not know and which loads slowly."""
    from unblocked.rig import Server

    if Server.view is None:
        Server.view = _watch


def _watch(server: Any, **options: Any) -> Any:
    from unblocked.show import watch

    return watch(server, **options)
