"""JupyterLab as `start.py` opens it, and a notebook in it that is driven through the browser."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 90
OPEN_MS = 90_000
PATIENCE_MS = 60_000
TOKEN = "for-these-tests-only"
expect.set_options(timeout=PATIENCE_MS)
KERNEL_IS_IDLE = """() => window.jupyterapp?.restored
    && window.jupyterapp.shell.currentWidget?.context?.sessionContext?.session?.kernel
        ?.status === 'idle'
    && ![...document.querySelectorAll('.jp-InputPrompt')].some((p) => p.textContent.includes('*'))
"""
OUTPUTS = """() => {
    const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
    return Array.from({length: cells.length}, (_, i) => cells.get(i))
        .map((cell) => (cell.type === 'code' ? cell.outputs.toJSON() : []));
}"""


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab server."""

    url: str
    root: Path

    def address(self, path: str, *, fresh: bool = True) -> str:
        reset = "&reset" if fresh else ""
        return f"{self.url}lab/tree/{path}?token={TOKEN}{reset}"


@contextmanager
def running_lab(root: Path, home: Path, base_url: str = "/", **environment: str) -> Iterator[Lab]:
    """JupyterLab on `root`, with settings, workspaces and kernels of its own under `home`."""
    port = _free_port()
    log = home / "lab.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(root, port, base_url),
            env={**_environment(home), **environment},
            stdout=output,
            stderr=output,
            cwd=root,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}{base_url}"
            _await_answer(f"{url}api/status?token={TOKEN}", process, log)
            yield Lab(url, root)
        finally:
            _end(process)


def _command(root: Path, port: int, base_url: str) -> list[str]:
    return [
        *(sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}"),
        *("--no-browser", "--allow-root", "--expose-app-in-browser"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={TOKEN}", f"--ServerApp.base_url={base_url}"),
    ]


def _environment(home: Path) -> dict[str, str]:
    names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    own = {f"JUPYTER_{name}": str(home / name.lower()) for name in names}
    own |= {f"JUPYTERLAB_{name}": str(home / name.lower()) for name in ("SETTINGS_DIR",)}
    own |= {"JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces")}
    own |= {"IPYTHONDIR": str(home / "ipython"), "UNBLOCKED_HOME": str(home / "marks")}
    return {**os.environ, **own}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_answer(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text()[-3000:]) from None
            threading.Event().wait(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Notebook:
    """A notebook open in JupyterLab."""

    def __init__(self, page: Page, lab: Lab, path: str) -> None:
        self.page, self.lab, self.path = page, lab, path

    def open(self, *, fresh: bool = True) -> None:
        """Open it and wait for its kernel."""
        self.page.goto(self.lab.address(self.path, fresh=fresh), timeout=OPEN_MS)
        self.page.wait_for_function(KERNEL_IS_IDLE, timeout=OPEN_MS)

    def start_all(self) -> None:
        """Run every cell without waiting."""
        self.page.evaluate(
            "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
        )

    def run_all(self) -> None:
        """Run every cell, and wait for the last."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.await_idle()

    def run_cells(self, *indices: int) -> None:
        """Run some cells, each to its end."""
        for index in indices:
            self.page.evaluate(
                """async (index) => {
                    window.jupyterapp.shell.currentWidget.content.activeCellIndex = index;
                    await window.jupyterapp.commands.execute('notebook:run-cell');
                }""",
                index,
            )
        self.await_idle()

    def start_cell(self, index: int) -> None:
        """Run one cell without waiting for its end."""
        self.page.evaluate(
            """(index) => {
                window.jupyterapp.shell.currentWidget.content.activeCellIndex = index;
                window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            index,
        )

    def write_cell(self, index: int, source: str) -> None:
        """Put text into a cell, as typing does."""
        self.page.evaluate(
            """([index, source]) => window.jupyterapp.shell.currentWidget.content.model.cells
                .get(index).sharedModel.setSource(source)""",
            [index, source],
        )

    def sources(self) -> list[str]:
        """The text of all cells."""
        found: list[str] = self.page.evaluate(
            """() => {
                const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
                return Array.from({length: cells.length},
                    (_, i) => cells.get(i).sharedModel.source);
            }"""
        )
        return found

    def await_idle(self) -> None:
        """Wait until the kernel has nothing to do."""
        self.page.wait_for_function(KERNEL_IS_IDLE)

    def outputs(self) -> list[list[dict[str, Any]]]:
        """The outputs of each cell."""
        found: list[list[dict[str, Any]]] = self.page.evaluate(OUTPUTS)
        return found

    def errors(self) -> list[dict[str, Any]]:
        """Tracebacks and what was written to stderr."""
        flat = [output for cell in self.outputs() for output in cell]
        return [
            output
            for output in flat
            if output["output_type"] == "error" or output.get("name") == "stderr"
        ]

    def cell(self, index: int) -> Locator:
        """A cell on the page."""
        return self.page.locator(".jp-Notebook:visible .jp-Cell").nth(index)

    def save(self) -> None:
        """Save, and wait for it."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def theme(self, name: str) -> None:
        """Change to `JupyterLab Light` or `JupyterLab Dark`."""
        self.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name
        )
        light = "true" if "Light" in name else "false"
        self.page.wait_for_function(
            "(light) => document.body.dataset.jpThemeLight === light", arg=light
        )

    def close(self) -> None:
        """Save and end the kernel."""
        self.page.evaluate(
            """async () => {
                const context = window.jupyterapp.shell.currentWidget?.context;
                await context?.save();
                await context?.sessionContext?.shutdown();
            }"""
        )


def document(cells: tuple[str, ...]) -> dict[str, Any]:
    return {
        "cells": [_cell(number, source) for number, source in enumerate(cells)],
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(number: int, source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": f"cell-{number}",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }
