"""repo2docker's view of a repository, printed as JSON. Runs in a venv that has repo2docker.

python binder_base.py render FOLDER     which buildpack, which Python, which Dockerfile
python binder_base.py base VERSION      the conda base of Binder images, as pins for pip
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import repo2docker
from repo2docker.app import Repo2Docker

# In the lock, and no Python package, or one that pip brings by itself or has under no such name.
NOT_FOR_PIP = {
    "_python_abi3_support",
    "ca-certificates",
    "configurable-http-proxy",
    "cpython",
    "jsonschema-with-format-nongpl",
    "jupyterhub-singleuser",
    "pip",
    "python-gil",
    "python_abi",
    "setuptools",
    "typing-extensions",
    "tzdata",
    "wheel",
}
NAMES_OF_PIP = {
    "brotli-python": "brotli",
    "jupyterhub-base": "jupyterhub",
    "nbconvert-core": "nbconvert",
    "python-fastjsonschema": "fastjsonschema",
    "python-tzdata": "tzdata",
}


def render(folder: str) -> dict[str, str]:
    os.chdir(folder)
    app = Repo2Docker()
    packs = (pack(base_image=app.base_image) for pack in app.buildpacks)
    chosen = next(pack for pack in packs if pack.detect())
    chosen.platform = "linux/amd64"
    dockerfile = chosen.render({"NB_USER": "jovyan", "NB_UID": "1000"})
    python = getattr(chosen, "python_version", "")
    return {"buildpack": type(chosen).__name__, "python": python, "dockerfile": dockerfile}


def base(version: str) -> list[str]:
    """Pins of the Python packages in the lock: pure ones, and those built for this Python."""
    conda = Path(repo2docker.__file__).parent / "buildpacks" / "conda"
    lock = (conda / f"environment.py-{version}-linux-64.lock").read_text("utf-8")
    found = re.findall(r"/([\w-]+)/([^/\s]+)-([^-/]+)-([^-/]+?)\.(?:conda|tar\.bz2)#", lock)
    ours = f"py{version.replace('.', '')}"
    pins = {
        NAMES_OF_PIP.get(name, name): number
        for system, name, number, build in found
        if (system == "noarch" and "py" in build) or ours in build or name in ("pyzmq", "tornado")
        if name not in NOT_FOR_PIP and not name.startswith("lib")
    }
    return [f"{name}=={number}" for name, number in sorted(pins.items())]


if __name__ == "__main__":
    print(json.dumps({"render": render, "base": base}[sys.argv[1]](sys.argv[2])))
