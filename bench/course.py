"""What the course costs who learns with it: set-up, JupyterLab, lessons, and checked exercises."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import psutil

from bench import start
from bench.report import RESULTS, Report, cell, middle, significant, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bench.report import Row, Size

_ROOT = Path(__file__).resolve().parent.parent
SUITE = RESULTS / "tests.xml"
"""Written by `python3 start.py test --junit-xml=bench/results/tests.xml`; read where it is."""
MOST_ADDED = 0.5
"""Seconds that `start.py` may add to JupyterLab's own when there is nothing to set up."""
_PART = {"tiny": 1, "quick": 3, "full": None}
_STARTS = {"tiny": 1, "quick": 2, "full": 7}
_SETUPS = {"tiny": 1, "quick": 1, "full": 3}
_NOTHING_TO_DO = {"tiny": 2, "quick": 10, "full": 30}
_CHECKS = {"tiny": 1, "quick": 1, "full": 3}
_CELL_SECONDS = 300
_LAB_SECONDS = 120.0
_LOOK_SECONDS = 0.01


def study(size: Size) -> Report:
    """Seconds of each part. Raises `ImportError` without the development tools, else `OSError`."""
    with tempfile.TemporaryDirectory(prefix="unblocked-home-") as home, _at_home(Path(home)):
        begun = _beginnings(size)
        lessons = [_lesson(path) for path in _some("notebooks", size)]
        checks = [_checked(path, _CHECKS[size]) for path in _some("solutions", size)]
    whole = sum(float(row["seconds"]) for row in lessons)
    marked = sum(float(row["seconds"]) for row in checks)
    return Report(
        title="What the course costs: set-up, lessons, checks",
        rows=[_row(what, seconds) for what, seconds in begun.items()],
        notes=_notes(size, begun, whole, lessons, marked, checks),
        tables={"Lessons": lessons, "Exercises": checks},
        figures=_figures(begun, whole, lessons, marked, checks) | _suite(SUITE),
    )


def _some(folder: str, size: Size) -> list[Path]:
    return sorted((_ROOT / folder).glob("*.ipynb"))[: _PART[size]]


@contextmanager
def _at_home(home: Path) -> Iterator[None]:
    """Within, nobody's marks and nobody's settings of Jupyter are read or written."""
    names = ("UNBLOCKED_HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: str(home / name) for name in names})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


# --- set-up and start -----------------------------------------------------------------------

COLD = "set-up, the first, by uv with its cache"
WARM = "set-up again, all packages in place"
NOTHING = "start.py with nothing to set up, before JupyterLab"
FIRST = "JupyterLab's very first start, which compiles what it imports"
LAB = "JupyterLab by itself, until it answers"
WHOLE = "start.py with nothing to set up, until JupyterLab answers"


def _beginnings(size: Size) -> dict[str, list[float]]:
    """What is done → the seconds of each time, in copies of the course."""
    found: dict[str, list[float]] = {what: [] for what in (COLD, WARM, NOTHING, FIRST, LAB, WHOLE)}
    for last in range(_SETUPS[size] - 1, -1, -1):
        with tempfile.TemporaryDirectory(prefix="unblocked-course-") as folder:
            course = start._copy(Path(folder))
            env = start._environment(Path(folder), "uv", "kept")
            _set_up(course, env, found)
            if last == 0:
                _start(course, env, size, found)
    return found


def _set_up(course: Path, env: dict[str, str], found: dict[str, list[float]]) -> None:
    found[COLD].append(start._timed(course, env))
    (course / ".venv" / "unblocked-setup.json").unlink()
    found[WARM].append(start._timed(course, env))


def _start(course: Path, env: dict[str, str], size: Size, found: dict[str, list[float]]) -> None:
    found[NOTHING] += [start._timed(course, env) for _ in range(_NOTHING_TO_DO[size])]
    found[FIRST].append(lab_until_up(course, env, alone=True))
    for _ in range(_STARTS[size]):
        found[LAB].append(lab_until_up(course, env, alone=True))
        found[WHOLE].append(lab_until_up(course, env, alone=False))


def lab_until_up(course: Path, env: Mapping[str, str], *, alone: bool) -> float:
    """Seconds until JupyterLab answers on its port: `alone`, or as `start.py` starts it.

    Raises `OSError` when it ends before, or does not answer in two minutes.
    """
    port = _free_port()
    options = ["--no-browser", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    options.append("--IdentityProvider.token=")
    command = (_alone if alone else _by_start)(course, options)
    return _until_up(command, course, env, partial(_answers, port))


def _alone(course: Path, options: list[str]) -> list[str]:
    """The command that `start.py` becomes."""
    python = course / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    said = f"import json, start; print(json.dumps(start.lab({options!r})))"
    arguments = subprocess.run(
        [str(python), "-c", said], cwd=course, capture_output=True, text=True, check=True
    ).stdout
    return [str(python), *json.loads(arguments)]


def _by_start(course: Path, options: list[str]) -> list[str]:
    base = getattr(sys, "_base_executable", sys.executable)
    return [base, str(course / "start.py"), *options]


def _until_up(
    command: Sequence[str], folder: Path, env: Mapping[str, str], answers: Callable[[], bool]
) -> float:
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=said, stderr=said)
        try:
            while not answers():
                if process.poll() is not None or time.perf_counter() - began > _LAB_SECONDS:
                    said.seek(0)
                    raise OSError(f"it did not start: {said.read().decode(errors='replace')}")
                time.sleep(_LOOK_SECONDS)
            return time.perf_counter() - began
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and those it has started: on Windows `start.py` stays, and waits for one."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.terminate()
    process.terminate()
    process.wait()


def _answers(port: int) -> bool:
    with (
        suppress(OSError, http.client.HTTPException),
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_LAB_SECONDS)) as asking,
    ):
        asking.request("GET", "/lab")
        return asking.getresponse().status == http.HTTPStatus.OK
    return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# --- lessons --------------------------------------------------------------------------------


def _lesson(path: Path) -> Row:
    import nbformat
    from nbclient import NotebookClient

    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    clock = _Clock()
    client = NotebookClient(
        notebook,
        timeout=_CELL_SECONDS,
        allow_errors=True,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=clock.begins,
        on_cell_executed=clock.ends,
    )
    began = time.perf_counter()
    client.execute()
    seconds = time.perf_counter() - began
    return {
        "lesson": path.stem,
        "seconds": significant(seconds, 3),
        "cells": len(clock.took),
        "slowest_cell_s": significant(max(clock.took, default=0.0), 3),
        "unexpected_errors": sum(_fails(one) for one in notebook.cells),
    }


class _Clock:
    """The seconds of each cell."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self._began = 0.0

    def begins(self, **about: Any) -> None:
        self._began = time.perf_counter()

    def ends(self, **about: Any) -> None:
        self.took.append(time.perf_counter() - self._began)


def _fails(one: Any) -> bool:
    meant = "raises-exception" in one.metadata.get("tags", ())
    outputs = one.get("outputs", ())
    return not meant and any(output["output_type"] == "error" for output in outputs)


# --- exercises ------------------------------------------------------------------------------


def _checked(path: Path, times: int) -> Row:
    """`unblocked check` of the solution, start-up included; raises `OSError` when it cannot."""
    told = [_check_once(path) for _ in range(times)]
    seconds = [took for took, _ in told]
    result = told[-1][1]
    return {
        "exercise": path.stem,
        "seconds": middle(seconds, 3),
        "spread": spread([significant(took, 3) for took in seconds]),
        "of_it_marking_s": middle([float(one["seconds"]) for _, one in told], 3),
        "points": f"{result['points']} of {result['max_points']}",
        "isolation": result["isolation"],
    }


def _check_once(path: Path) -> tuple[float, dict[str, Any]]:
    command = [sys.executable, "-m", "unblocked", "check", path.stem, str(path), "--json"]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode not in (0, 1):
        raise OSError(f"unblocked check {path.stem}: {done.stderr.strip()}")
    result: dict[str, Any] = json.loads(done.stdout)
    return seconds, result


# --- what is said of it ---------------------------------------------------------------------


def _row(what: str, seconds: Sequence[float]) -> Row:
    return {
        "what": what,
        "seconds": middle(seconds, 3),
        "spread": spread([significant(one, 3) for one in seconds]),
        "times": len(seconds),
    }


def _added(begun: Mapping[str, Sequence[float]]) -> list[float]:
    """What `start.py` adds, each start beside one of JupyterLab by itself."""
    pairs = zip(begun[WHOLE], begun[LAB], strict=True)
    return [significant(whole - alone, 2) for whole, alone in pairs]


def _figures(
    begun: Mapping[str, Sequence[float]],
    whole: float,
    lessons: Sequence[Row],
    marked: float,
    checks: Sequence[Row],
) -> dict[str, Any]:
    return {
        **{f"{what}, seconds": middle(seconds, 3) for what, seconds in begun.items()},
        "start.py added until JupyterLab answered, seconds": middle(_added(begun), 2),
        "lessons run": len(lessons),
        "lessons together, seconds": significant(whole, 3),
        "exercises checked": len(checks),
        "checks together, seconds": significant(marked, 3),
    }


def _suite(file: Path) -> dict[str, Any]:
    """What pytest wrote of a run of the suite; nothing where there is no such file."""
    try:
        suites = ElementTree.parse(file).getroot().iter("testsuite")
    except OSError:
        return {}
    found = [(float(suite.attrib["time"]), int(suite.attrib["tests"])) for suite in suites]
    return {
        "the test suite, seconds": significant(sum(seconds for seconds, _ in found), 3),
        "tests in it": sum(tests for _, tests in found),
    }


def _notes(
    size: Size,
    begun: Mapping[str, Sequence[float]],
    whole: float,
    lessons: Sequence[Row],
    marked: float,
    checks: Sequence[Row],
) -> list[str]:
    part = "" if _PART[size] is None else " Only the first ones: `--full` runs all."
    nothing = float(middle(begun[NOTHING], 2) or 0)
    kept = "kept" if max(begun[NOTHING]) < MOST_ADDED else "not kept"
    return [
        "A copy of the course without `.venv` is set up by `start.py` and uv, whose cache holds "
        "the packages (`bench start` also measures fetching them, and pip). *In place*: the note "
        "of what was set up is gone, the packages are there. JupyterLab is up when `/lab` answers.",
        f"With nothing to set up `start.py` takes {cell(nothing)} s before JupyterLab begins; at "
        f"most {MOST_ADDED} s are allowed: {kept} in {len(begun[NOTHING])} starts. That is what "
        "it adds to JupyterLab's own time. Measured until JupyterLab answers, the difference was "
        f"{spread(_added(begun))} s in {len(begun[WHOLE])} pairs of starts, JupyterLab's own time "
        f"{spread([significant(one, 2) for one in begun[LAB]])} s.",
        "Each lesson is run once from top to bottom in a kernel of its own, nobody reading or "
        "predicting in between. `slowest_cell_s` is the longest wait that a learner meets. "
        f"{len(lessons)} lessons together: {cell(whole)} s.{part}",
        "Each solution is marked by `unblocked check`, timed from outside, start-up included; "
        f"`of_it_marking_s` is what the result itself says. {len(checks)} exercises together: "
        f"{cell(marked)} s.{part}",
    ]
