"""`unblocked lab`: JupyterLab on the course."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING

from unblocked._places import find_working_folder, shipped_folder
from unblocked.course import CourseError

if TYPE_CHECKING:
    from collections.abc import Sequence


def lab(jupyter: Sequence[str] = ()) -> int:
    """Open JupyterLab on the first lesson; `jupyter` are options of JupyterLab's own.

    Returns JupyterLab's exit code. A package's notebooks are put into the folder that it is started
    in, unless that belongs to a course already.

    Raises:
        CourseError: there are no lessons to open.
    """
    folder = find_working_folder() or Path.cwd()
    first = _first_notebook(folder)
    # Not as a file to open: JupyterLab would take that file's folder for its root, and links from
    # lessons to exercises would leave it.
    place = [f"--ServerApp.root_dir={folder}", f"--LabApp.default_url=/lab/tree/notebooks/{first}"]
    command = [sys.executable, "-m", "jupyterlab", *place, *_as_root(), *jupyter]
    process = Popen(command, cwd=folder)

    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # JupyterLab has heard it too, and asks whether it is meant
            continue


def _as_root() -> list[str]:
    """Return the option without which JupyterLab refuses to start for root, as in a container."""
    return ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


def _first_notebook(folder: Path) -> str:
    if not _lessons(folder):
        _unpack(folder)
    found = _lessons(folder)
    if not found:
        raise CourseError(
            f"{folder} holds no lessons. Go to the course's folder, which holds notebooks/, and "
            "run this there; in a clone `unblocked build` makes them."
        )
    return found[0]


def _lessons(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "notebooks").glob("[0-9][0-9]-*.ipynb"))


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
