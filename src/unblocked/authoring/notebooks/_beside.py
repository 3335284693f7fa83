"""Makes a JupyterLab workspace for a lesson that measures live: its text left, the live view right.

JupyterLab opens such a file, by its link or a double click, as a layout at an address of its own;
nothing has to be installed or imported for it, so it works on Binder as on a laptop.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unblocked.authoring.notebooks._cells import Cell, Notebook

WORKSPACES = "side-by-side"
"""The folder of the workspaces, beside the lessons in notebooks/."""
WORKSPACE_SUFFIX = ".jupyterlab-workspace"
_MEASURES = re.compile(r"^(?:\w+\s*=\s*)?await compare\(", re.MULTILINE)


def link(name: str) -> str:
    """Return the link that a lesson called `name` shows at its top."""
    return f"[the live view beside the text]({WORKSPACES}/{name}{WORKSPACE_SUFFIX})"


def measures(cell: Cell) -> bool:
    """Return whether a cell shows a live comparison."""
    return cell.cell_type == "code" and bool(_MEASURES.search(cell.source))


def workspace(notebook: Notebook, name: str) -> str | None:
    """Return the workspace of the lesson `name`; None when nothing in it is shown live."""
    live = next((i for i, cell in enumerate(notebook.cells) if measures(cell)), None)
    if live is None:
        return None
    path = f"notebooks/{name}.ipynb"
    text, view = f"notebook:{path}", f"cloned-outputs:{path}:{live}"
    data = {
        "layout-restorer:data": _layout(text, view),
        text: {"data": {"path": path, "factory": "Notebook"}},
        view: {"data": {"path": path, "index": live}},
    }
    made = {"data": data, "metadata": {"id": f"{WORKSPACES}-{name[:2]}"}}
    return json.dumps(made, indent=1) + "\n"


def _layout(text: str, view: str) -> dict[str, Any]:
    tabs = [{"type": "tab-area", "currentIndex": 0, "widgets": [one]} for one in (text, view)]
    side_by_side = {
        "type": "split-area",
        "orientation": "horizontal",
        "sizes": [0.45, 0.55],
        "children": tabs,
    }
    folded = {"collapsed": True, "visible": True}
    return {
        "main": {"dock": side_by_side, "current": text},
        "down": {"size": 0, "widgets": []},
        "left": {**folded, "current": None, "widgets": ["filebrowser"]},
        "right": {**folded, "widgets": []},
        "relativeSizes": [0, 1, 0],
    }
