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
    from unblocked.show.compare import compare as compare
    from unblocked.show.learner import check as check
    from unblocked.show.learner import now_you as now_you
    from unblocked.show.learner import predict as predict
    from unblocked.show.learner import progress as progress
    from unblocked.show.learner import quiz as quiz

_HOME = {
    "Upstream": "unblocked.rig",
    "serve": "unblocked.rig",
    "load": "unblocked.rig",
    "compare": "unblocked.show.compare",
    "now_you": "unblocked.show.learner",
    "predict": "unblocked.show.learner",
    "progress": "unblocked.show.learner",
    "quiz": "unblocked.show.learner",
    "check": "unblocked.show.learner",
}
__all__ = sorted(_HOME)


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
    from unblocked.show.compare import watch

    return watch(server, **options)
