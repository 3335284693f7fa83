"""What is committed is what the source builds."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from unblocked.show.compare.livechart import BUILT

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = BUILT.parent
NPM = shutil.which("npm")
INSTALL_SECONDS = 180


@pytest.mark.skipif(NPM is None, reason="no Node: the live panel cannot be built again here")
def test_the_built_module_agrees_with_its_source(tmp_path: Path) -> None:
    assert NPM is not None
    for name in ("package.json", "package-lock.json", ".npmrc", "livechart.js", "livechart.css"):
        shutil.copy(SOURCE / name, tmp_path / name)
    _run(tmp_path, NPM, "run", "build")
    for name in ("livechart.js", "livechart.css"):
        built, committed = tmp_path / "built" / name, BUILT / name
        assert built.read_text("utf-8") == committed.read_text("utf-8"), f"build {name} again"


def _run(folder: Path, *command: str) -> None:
    environment = {**os.environ, "npm_config_update_notifier": "false"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if done.returncode and any(word in done.stderr for word in ("ENOTFOUND", "EAI_AGAIN", "ECONN")):
        pytest.skip("npm reaches no registry: the live panel cannot be built again here")
    assert done.returncode == 0, done.stderr


def test_the_lock_names_no_address() -> None:
    assert "resolved" not in (SOURCE / "package-lock.json").read_text("utf-8")


def test_the_licence_of_uplot_is_kept() -> None:
    assert "MIT License" in (SOURCE / "LICENSE-uPlot").read_text("utf-8")
