"""Python 3.11 to 3.14: set up as a learner does, run a lesson, mark an answer."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path

import pytest
from machines import REPOSITORY, UV, clean_environment, copy_course, interpreter, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

VERSIONS = ["3.11", "3.12", "3.13", "3.14"]
PLATFORMS = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-pc-windows-msvc",
    "aarch64-apple-darwin",
]


@pytest.mark.parametrize(("version", "installer"), [("3.12", "pip"), ("3.13", "uv")])
def test_a_learner_sets_up_and_works(version: str, installer: str, tmp_path: Path) -> None:
    course, python = copy_course(tmp_path), interpreter(version)
    env = clean_environment(HOME=str(tmp_path), UNBLOCKED_HOME=str(tmp_path))
    if installer == "uv":
        env["PATH"] = os.pathsep.join([str(Path(UV).parent), env["PATH"]])
    run(python, course / "start.py", "setup", env=env)
    assert run(python, course / "start.py", "setup", env=env).startswith("Ready")
    ours = course / ".venv/bin/python"
    assert run(ours, "--version").startswith(f"Python {version}")
    lesson = course / "notebooks/01-a-server-in-your-notebook.ipynb"
    run(ours, "-m", "jupyter", "execute", lesson, env=env)
    solved = course / "solutions/fix-the-article.ipynb"
    marked = run(
        ours, "-m", "unblocked", "check", "fix-the-article", solved, "--json", env=env, stderr=None
    )
    result = json.loads(marked)
    assert result["points"] == result["max_points"] > 0


def test_every_pin_has_a_wheel(tmp_path: Path) -> None:
    """Learners have no compiler: each pin must be there ready-made for their system."""
    pinned = (REPOSITORY / "requirements.txt").read_text("utf-8").splitlines()
    with ThreadPoolExecutor(8) as pool:  # uv mostly waits for the package index
        places = list(product(VERSIONS, PLATFORMS))
        resolved = dict(zip(places, pool.map(partial(resolve, tmp_path), places), strict=True))
    for place, lines in resolved.items():
        assert len(lines) > 100, place
        assert [line for line in lines if not is_pinned(line, pinned)] == [], place


def is_pinned(line: str, pinned: list[str]) -> bool:
    return any(pin == line or pin.startswith(line + " ;") for pin in pinned)


def resolve(folder: Path, place: tuple[str, str]) -> list[str]:
    """What uv would install there from wheels alone.

    forbiddenfruit, which blockbuster brings, comes as source only; it is pure Python.
    """
    version, platform = place
    out = folder / f"{version}-{platform}.txt"
    where = ["--python-version", version, "--python-platform", platform]
    wheels = ["--only-binary", ":all:", "--no-binary", "forbiddenfruit"]
    what = ["-c", "requirements.txt", "pyproject.toml", "--all-extras", "-o", out]
    plain = ["-q", "--no-header", "--no-annotate"]
    run(UV, "pip", "compile", *plain, *where, *wheels, *what, cwd=REPOSITORY)
    return [line for line in out.read_text("utf-8").splitlines() if "==" in line]
