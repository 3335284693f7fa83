"""A small project in a folder of its own, with a `conftest.py` to take home, run by pytest."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import weakref
from pathlib import Path

CONFTEST = (Path(__file__).parent / "assets" / "take_home" / "conftest.txt").read_text("utf-8")
"""The fixtures `url` and `upstream`: an app on a real server, and the other side of it."""
SECONDS = 120.0
"""After which pytest is ended."""
_LOOKS = {"COLUMNS": "72", "PY_COLORS": "0"}
"""Of pytest's output: as wide as a cell's on a small screen; a kernel asks for colours."""


class Project:
    """Files that pytest runs. They are deleted when nobody holds the project any more."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="unblocked-"))
        self.close = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        """Delete the folder at once."""
        self.write("conftest.py", CONFTEST)

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        (self.folder / name).write_text(text.lstrip("\n"), encoding="utf-8")

    def pytest(self, *arguments: str, app: str = "main") -> str:
        """Run pytest on the module `app`; print the command and what it says, and return that.

        Files of libraries are named from their package on: where a machine keeps them tells
        nobody anything, and makes long lines.

        Raises:
            subprocess.TimeoutExpired: it did not come to its end.
        """
        print(f"$ APP={app} pytest {' '.join(arguments)}", flush=True)  # it takes some seconds
        options = ["-q", "-rN", "--tb=short", "-p", "anyio", "-p", "no:cacheprovider"]
        said = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *arguments],
            cwd=self.folder,
            env=os.environ | _LOOKS | {"APP": app, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        output, errors = map(self._without_folders, (said.stdout, said.stderr))
        print("\n".join(filter(None, (output.strip(), errors.strip()))))
        return output

    def _without_folders(self, text: str) -> str:
        folders = {str(self.folder), *map(sysconfig.get_path, ("purelib", "platlib", "stdlib"))}
        for folder in sorted(folders, key=len, reverse=True):  # the stdlib's may hold the others
            text = text.replace(folder + os.sep, "")
        return text

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
