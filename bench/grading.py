"""What marking costs: one answer, a class beside other graders, and a class that grows.

The other graders get the same notebooks and the same checks, in environments of their own that are
made for the run (or kept in the folder that `BENCH_ENVIRONMENTS` names).
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import psutil

from bench.report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.report import Row, Size

ROOT = Path(__file__).resolve().parents[1]
SLUG = "fix-the-article"
ROOM = ROOT / "course" / "exercises" / SLUG
WRONG = ("never_closed", "plain_def", "sequential_send", "no_limits", "whole_bodies")
POINTS = 20
NBGRADER, OTTER = "nbgrader==0.9.6", "otter-grader[grading]==7.0.0"
CLASS = {"tiny": 4, "quick": 20, "full": 20}
GROWTH = {"tiny": (2, 6), "quick": (20, 200), "full": (20, 200, 1000)}
CHECKS = {"tiny": 2, "quick": 7, "full": 15}


@dataclass(frozen=True)
class Cost:
    """What a command took: wall and CPU seconds, and the peak MB of all its processes."""

    seconds: float
    cpu: float
    memory: float


def study(size: Size) -> Report:
    """Measure and compare."""
    with tempfile.TemporaryDirectory(prefix="bench-grading-") as name:
        folder = Path(name)
        one = [_check(folder, number) for number in range(CHECKS[size])]
        growth = [_growth(folder, count) for count in GROWTH[size]]
        compared = _compared(folder, CLASS[size])
    ours = compared[0]
    figures: dict[str, Any] = {
        "unblocked check, a right answer, start-up included: median s": median(
            c.seconds for c in one
        ),
        "unblocked check, CPU s": median(c.cpu for c in one),
        "answers in the compared class": CLASS[size],
    }
    for other in compared[1:]:
        for what in ("seconds", "CPU s"):
            figures[f"{other['grader']}: times ours, {what}"] = other[what] / ours[what]
    return Report(
        "What marking costs",
        compared,
        notes=[
            f"The same class of {CLASS[size]} for each grader: half right, half wrong in "
            f"{len(WRONG)} ways, `{SLUG}`, the same notebooks and checks. `unblocked grade` "
            "isolates every answer and writes feedback and tables; nbgrader, which isolates "
            "nothing itself, and otter's API mark by way of the check cell. Of otter only the "
            "grading is measured. CPU seconds bear a busy machine better than seconds do. "
            "`unblocked grade`: the middle one of three goes, before, between and after the "
            "others, which have one each."
        ],
        tables={"A class that grows, unblocked grade": growth},
        figures=figures,
    )


def _answers() -> list[str]:
    right = [ROOM / "solution.py", *sorted((ROOM / "right").glob("*.py"))]
    wrong = [ROOM / "wrong" / f"{name}.py" for name in WRONG]
    pairs = zip(right, wrong, strict=False)
    return [path.read_text("utf-8") for pair in pairs for path in pair]


def _hand_in(folder: Path, count: int, name: str = f"{SLUG}.ipynb") -> Path:
    """`folder` in nbgrader's layout: so many learners, each with a notebook."""
    released = json.loads((ROOT / "exercises" / f"{SLUG}.ipynb").read_text("utf-8"))
    for number, source in enumerate(islice(cycle(_answers()), count)):
        [cell] = [c for c in released["cells"] if c["id"] == SLUG]
        cell["source"] = f"# exercise: {SLUG}\n# learner {number}\n{source}"
        path = folder / f"learner-{number:04}" / SLUG / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(released), "utf-8")
    return folder


def _check(folder: Path, number: int) -> Cost:
    del number
    command = [
        sys.executable,
        "-m",
        "unblocked",
        "check",
        SLUG,
        str(ROOM / "solution.py"),
        "--json",
    ]
    return _measured(command, folder)


def _growth(folder: Path, count: int) -> Row:
    submitted = _hand_in(folder / f"class-{count}", count)
    cost = _graded(submitted, folder)
    return {
        "submissions": count,
        "s each": cost.seconds / count,
        "CPU s each": cost.cpu / count,
        "peak MB": cost.memory,
    }


def _graded(submitted: Path, folder: Path) -> Cost:
    command = [sys.executable, "-m", "unblocked", "grade", str(submitted), "--workers", "2"]
    return _measured(
        [*command, "--out", str(submitted.with_name(f"{submitted.name}-marks"))], folder
    )


def _compared(folder: Path, count: int) -> list[Row]:
    others = {
        "nbgrader autograde + generate_feedback + export": partial(_nbgrader, folder / "nbgrader"),
        "otter's API": partial(_otter, folder / "otter"),
    }
    theirs, ours = {}, [_graded(_hand_in(folder / "ours-before", count), folder)]
    for grader, measured in others.items():  # ours in turn with them: a machine's speed drifts
        theirs[grader] = measured(count)
        ours.append(_graded(_hand_in(folder / f"ours-{len(ours)}", count), folder))
    middle = sorted(ours, key=lambda cost: cost.seconds)[len(ours) // 2]
    middle = replace(middle, memory=max(cost.memory for cost in ours))
    costs = {"unblocked grade --workers 2": middle, **theirs}
    return [
        {
            "grader": grader,
            "seconds": cost.seconds,
            "s each": cost.seconds / count,
            "CPU s": cost.cpu,
            "peak MB": cost.memory,
        }
        for grader, cost in costs.items()
    ]


def _nbgrader(folder: Path, count: int) -> Cost:
    binaries = _environment("nbgrader", folder, NBGRADER)
    source = folder / "source" / SLUG
    source.mkdir(parents=True)
    shutil.copy(ROOT / "exercises" / f"{SLUG}.ipynb", source)
    shutil.copy(ROOT / "jupyter" / "nbgrader_config.py", folder)
    _hand_in(folder / "submitted", count)
    command = str(binaries / "nbgrader")
    _measured([command, "generate_assignment", SLUG], folder, binaries)
    steps = (["autograde", SLUG, "--create"], ["generate_feedback", SLUG], ["export"])
    costs = [_measured([command, *step], folder, binaries) for step in steps]
    return Cost(
        sum(c.seconds for c in costs), sum(c.cpu for c in costs), max(c.memory for c in costs)
    )


_OTTER_TEST = f"""
OK_FORMAT = True
case = {{"code": ">>> result['points'] == {POINTS}\\nTrue", "hidden": False, "locked": False}}
suite = {{"type": "doctest", "scored": True, "cases": [case]}}
test = {{"name": "q1", "points": {POINTS}, "suites": [suite]}}
"""
_OTTER_RUN = """
import pathlib, sys
from otter.api import grade_submission
for path in sorted(pathlib.Path("submitted").rglob("*.ipynb")):
    print(grade_submission(str(path), "autograder.zip", quiet=True).total)
"""


def _otter(folder: Path, count: int) -> Cost:
    binaries = _environment("otter", folder, OTTER)
    _hand_in(folder / "submitted", count)
    with zipfile.ZipFile(folder / "autograder.zip", "w") as archive:
        archive.writestr("otter_config.json", json.dumps({"lang": "python", "pdf": False}))
        archive.writestr("tests/q1.py", _OTTER_TEST)
    return _measured([str(binaries / "python"), "-c", _OTTER_RUN], folder, binaries)


def _environment(name: str, folder: Path, package: str) -> Path:
    """The folder of commands of an environment that has the course and this package."""
    kept = os.environ.get("BENCH_ENVIRONMENTS")
    venv = Path(kept) / name if kept else folder / "environment"
    python = venv / "bin" / "python"
    folder.mkdir(parents=True)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        pip = [str(python), "-m", "pip", "install", "-q"]
        subprocess.run([*pip, "-c", "requirements.txt", ".", package], check=True, cwd=ROOT)
    return python.parent


def _measured(command: Sequence[str], folder: Path, binaries: Path | None = None) -> Cost:
    """Run a command.

    Raises:
        RuntimeError: it failed, or was a grader's command that did.
    """
    path = os.environ["PATH"]
    changes = {"PATH": f"{binaries}:{path}" if binaries else path}
    environment = os.environ | changes | {"UNBLOCKED_HOME": str(folder / "home")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a usual machine keeps its bytecode
    before, begun = _cpu(), time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    peak = _Peak(process.pid)
    _, error = process.communicate()
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise RuntimeError(f"{command[:4]} gave {process.returncode}: {error.decode()[-600:]}")
    return Cost(seconds, _cpu() - before, peak.ended())


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Peak:
    """The most memory that a process and its descendants had together, looked at each second.

    A look takes a millisecond for each process: more of them would slow what is measured.
    """

    def __init__(self, pid: int) -> None:
        self.process, self.over, self.most = psutil.Process(pid), threading.Event(), 0
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def _watch(self) -> None:
        while not self.over.wait(1):
            try:
                family = [self.process, *self.process.children(recursive=True)]
                self.most = max(self.most, sum(map(_own_memory, family)))
            except psutil.Error:
                return

    def ended(self) -> float:
        """Stop looking; returns the peak in MB."""
        self.over.set()
        self.thread.join()
        return self.most / 1e6


def _own_memory(process: psutil.Process) -> int:
    """Bytes, pages shared with a parent by fork counted once for all that share them."""
    try:
        pages = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        [line] = [line for line in pages.splitlines() if line.startswith("Pss:")]
        return int(line.split()[1]) << 10
    except (OSError, ValueError):
        return 0
