"""A copy of start.py in a folder of its own, loaded as a module or run as a command."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[2]
WHAT_DECIDES = ("start.py", "pyproject.toml", "requirements.txt", "jupyter/overrides.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What start.py reads, in a folder with a space and letters outside ASCII."""
    course = tmp_path / "mein Kurs 異步 é"
    for name in WHAT_DECIDES:
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, course / name)
    return course


@pytest.fixture
def start(folder: Path) -> ModuleType:
    """start.py as a module whose ROOT is `folder`."""
    spec = importlib.util.spec_from_file_location("start_in_a_copy", folder / "start.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Machine:
    """Takes the place of `start.run`: notes each command, and makes what it would have made."""

    def __init__(self, venv: Path) -> None:
        self.venv = venv
        self.commands: list[list[str]] = []

    def run(self, command: list[str], **_: str) -> None:
        self.commands.append([str(word) for word in command])
        if "venv" in command:
            python = self.venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
            python.parent.mkdir(parents=True)
            python.write_text("")
            (self.venv / "pyvenv.cfg").write_text("version = 3.12.1\n")

    @property
    def installs(self) -> list[list[str]]:
        return [command for command in self.commands if "install" in command]


@pytest.fixture
def machine(start: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Nothing is installed for real; uv is not there unless a test says so."""
    machine = Machine(folder / ".venv")
    monkeypatch.setattr(start, "run", machine.run)
    monkeypatch.setattr(start, "check_disk", lambda: None)
    monkeypatch.setattr(start.shutil, "which", lambda name: None)
    return machine
