"""What `start.py` costs: the first set-up, by uv and by pip, and every start after it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from uv import find_uv_bin

from bench.report import Report, cell, middle, significant, spread

if TYPE_CHECKING:
    from bench.report import Row, Size

_ROOT = Path(__file__).resolve().parent.parent
_LEFT_OUT = (".git", ".venv*", "*_cache", "__pycache__", "node_modules", "results")
_TIMES = {"tiny": 2, "quick": 20, "full": 50}
# Who installs, and whether the packages have to be fetched first.
_WAYS = {
    "tiny": [("uv", "kept")],
    "quick": [("uv", "fetched"), ("uv", "kept")],
    "full": [("uv", "fetched"), ("uv", "kept"), ("pip", "fetched")],
}


def study(size: Size) -> Report:
    """Seconds of set-up and of a second start. Raises `OSError` when a set-up fails."""
    rows, again = [], []
    for installer, packages in _WAYS[size]:
        with tempfile.TemporaryDirectory(prefix="unblocked-start-") as folder:
            course = _copy(Path(folder))
            env = _environment(Path(folder), installer, packages)
            rows.append(_first(course, env, installer, packages))
            again = [_timed(course, env) for _ in range(_TIMES[size])]
    second: Row = {
        "start": "every later one, before JupyterLab's own",
        "installer": "none",
        "packages": "there",
        "seconds": middle(again, 2),
    }
    return Report(
        title="What start.py costs",
        rows=[*rows, second],
        notes=[
            "A copy of the course is set up as a learner does it. `fetched`: with an empty cache, "
            "so that the package index and the line count; `kept`: from uv's cache on this disk.",
            f"A later start with nothing to do: {spread([significant(s, 2) for s in again])} s "
            f"in {len(again)} starts. {cell(middle(again, 2))} s is what it adds to JupyterLab's "
            "own time.",
        ],
        figures={"second start, seconds": middle(again, 2)},
    )


def _copy(folder: Path) -> Path:
    target = folder / "course"
    shutil.copytree(_ROOT, target, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    return target


def _environment(folder: Path, installer: str, packages: str) -> dict[str, str]:
    """Without this study's virtual environment; with uv on PATH or not."""
    ours = Path(sys.prefix) / ("Scripts" if os.name == "nt" else "bin")
    found = os.environ["PATH"].split(os.pathsep)
    paths = [path for path in found if path != str(ours) and not shutil.which("uv", path=path)]
    if installer == "uv":
        paths.insert(0, str(Path(find_uv_bin()).parent))
    env = {**os.environ, "PATH": os.pathsep.join(paths)}
    if packages == "fetched":
        env |= {"UV_CACHE_DIR": str(folder / "cache"), "PIP_NO_CACHE_DIR": "1"}
    return env


def _first(course: Path, env: dict[str, str], installer: str, packages: str) -> Row:
    seconds = significant(_timed(course, env), 3)
    return {
        "start": "the first one",
        "installer": installer,
        "packages": packages,
        "seconds": seconds,
    }


def _timed(course: Path, env: dict[str, str]) -> float:
    began = time.perf_counter()
    base = getattr(sys, "_base_executable", sys.executable)
    command = [base, str(course / "start.py"), "setup"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip() or f"start.py gave {done.returncode}")
    return time.perf_counter() - began
