"""How every Python process of ours is started. Imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from typing import Any


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of ours with these arguments.

    `-P` keeps files beside the caller, such as a learner's `json.py`, from hiding modules.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def apart() -> dict[str, Any]:
    """Return the options of `Popen` for a process that no interrupt meant for this one reaches.

    An interrupt in a terminal or in a notebook goes to a whole session (on Windows, to a group of
    processes). The process gets one of its own, and on Windows no window.
    """
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return {"creationflags": flags}
    return {"start_new_session": True}
