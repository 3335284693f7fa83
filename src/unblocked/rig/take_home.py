"""A small project in a folder of its own, with a `conftest.py` to take home, run by pytest."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

CONFTEST = (Path(__file__).parent / "assets" / "take_home" / "conftest.txt").read_text("utf-8")
"""The fixtures `url` and `upstream`: an app on a real server, and the other side of it."""
SECONDS = 120.0
"""After which pytest is ended."""


class Project:
    """Files that pytest runs. Use `close()`, or `with`, to leave nothing behind."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="unblocked-")
        self.folder = Path(self._folder.name)
        self.write("conftest.py", CONFTEST)

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        (self.folder / name).write_text(text.lstrip("\n"), encoding="utf-8")

    def pytest(self, *arguments: str, app: str = "main") -> str:
        """Run pytest on the module `app`; print what it says, and return it.

        Raises:
            subprocess.TimeoutExpired: it did not come to its end.
        """
        options = ["-q", "--tb=short", "--color=no", "-p", "anyio", "-p", "no:cacheprovider"]
        said = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *arguments],
            cwd=self.folder,
            env=os.environ | {"APP": app, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        print(said.stdout.strip(), said.stderr.strip(), sep="\n")
        return said.stdout

    def close(self) -> None:
        """Delete the folder."""
        self._folder.cleanup()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
