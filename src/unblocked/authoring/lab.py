"""`unblocked lab`: JupyterLab on the course."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from unblocked.authoring._places import shipped_folder, working_folder
from unblocked.course import CourseError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def lab(jupyter: Sequence[str] = ()) -> int:
    """Open JupyterLab on the first lesson; `jupyter` are options of JupyterLab's own.

    Returns JupyterLab's exit code.
    """
    folder = working_folder()
    first = _first_notebook(folder)
    command = [sys.executable, "-m", "jupyterlab", *_as_root(), *jupyter, str(first)]
    process = subprocess.Popen(command, cwd=folder)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # JupyterLab has heard it too, and asks whether it is meant
            continue


def _as_root() -> list[str]:
    """JupyterLab refuses to start for root, who is everybody in a container, unless told."""
    return ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


def _first_notebook(folder: Path) -> Path:
    if not any((folder / "notebooks").glob("*.ipynb")):
        _unpack(folder)
    found = sorted((folder / "notebooks").glob("[0-9][0-9]-*.ipynb"))
    if not found:
        raise CourseError(f"{folder} holds no notebooks/; `unblocked build` makes them.")
    return found[0].relative_to(folder)


def _unpack(folder: Path) -> None:
    """Put the notebooks that came with the package here; what is here already stays."""
    for name in ("notebooks", "exercises"):
        source = shipped_folder() / name
        files = [path for path in source.rglob("*.*") if path.is_file()]
        for path in files:  # Notebooks, and the layouts beside them.
            target = folder / name / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copyfile(path, target)
