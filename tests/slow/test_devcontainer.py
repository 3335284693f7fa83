"""The devcontainer is read by the tool that Codespaces and VS Code use; docker is not needed."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from machines import REPOSITORY, need, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_official_tool_reads_it(tmp_path: Path) -> None:
    need(shutil.which("npm"), "npm")
    tool = ["npm", "exec", "--yes", "--cache", str(tmp_path), "@devcontainers/cli@0.89.0", "--"]
    read = ["read-configuration", "--workspace-folder", str(REPOSITORY), "--docker-path"]
    out = run(*tool, *read, "/bin/true", cwd=tmp_path, stderr=subprocess.DEVNULL)
    configuration = json.loads(out.splitlines()[-1])["configuration"]
    assert configuration["postCreateCommand"] == "python3 start.py setup"
    assert configuration["forwardPorts"] == [8888]
    opened = configuration["customizations"]["codespaces"]["openFiles"]
    assert all((REPOSITORY / file).is_file() for file in opened)
