"""Finds out who is looking: a notebook with widgets, a program that runs it, or a terminal."""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython
from IPython.display import DisplayHandle, display

if TYPE_CHECKING:
    from ipywidgets import DOMWidget

Bundle = dict[str, Any]

_IN_THE_ENVIRONMENT = "JPY_SESSION_NAME"
_IN_THE_NAMESPACE = "__vsc_ipynb_file__"
_COLUMNS = 72  # What a page 1,024 pixels wide has for a cell's output, beside the file browser.


def in_kernel() -> bool:
    """Return whether this code runs in a Jupyter kernel, so that pictures can be displayed."""
    return getattr(get_ipython(), "kernel", None) is not None


def has_front_end() -> bool:
    """Return whether somebody can press buttons.

    Each says which notebook the kernel belongs to: Jupyter's server in the environment, VS Code
    (a Codespace, too) by a name in the user namespace. A program that only runs a notebook
    (nbclient, nbconvert) does neither. `UNBLOCKED_WIDGETS=1` or `=0` overrides, for a front end
    that is not known here.
    """
    # A wish for widgets is still of no use outside of a kernel.
    wish = os.environ.get("UNBLOCKED_WIDGETS")
    if wish is not None:
        return wish not in {"", "0"} and in_kernel()
    return in_kernel() and (_IN_THE_ENVIRONMENT in os.environ or _in_vs_code())


def _in_vs_code() -> bool:
    return _IN_THE_NAMESPACE in getattr(get_ipython(), "user_ns", {})


def view_bundle(widget: DOMWidget, text: str) -> Bundle:
    """Return a widget's display data, with `text` for whoever cannot show widgets."""
    bundle = widget._repr_mimebundle_()
    data: Bundle = dict(bundle[0] if isinstance(bundle, tuple) else bundle)
    return {**data, "text/plain": text}


def folded(text: str) -> str:
    """Return a text in lines that end between words; JupyterLab breaks long ones anywhere."""
    return "\n".join(_folded(line) for line in text.splitlines())


def _folded(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(
        line,
        _COLUMNS,
        subsequent_indent=indent or "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


class Slot:
    """One place below a cell whose content can be replaced; in a terminal it prints instead."""

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None

    def put(self, bundle: Bundle) -> None:
        """Show `bundle` (MIME type → data) in place of what was there."""
        if not in_kernel():
            print(bundle["text/plain"])
        elif self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)  # type: ignore[no-untyped-call]

    def put_widget(self, widget: DOMWidget, text: str) -> None:
        """Show a live widget, with `text` for whoever cannot show widgets."""
        self.put(view_bundle(widget, text))
