"""INSTRUCTORS.md, followed in a clean clone: its commands in its order, and nothing else."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest
from machines import REPOSITORY, UV, clean_environment, interpreter

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

GUIDE = (REPOSITORY / "INSTRUCTORS.md").read_text("utf-8")
FOLLOWED = (
    "Set up, once",
    "Hand the course out",
    "Laptops, Moodle, Canvas",
    "Late, corrected, added up",
    "Gradescope and GitHub Classroom",
    "Exercises of your own",
)
"""Sections whose commands need no other machine; other tests follow the others."""
LIST = """Identifier,Full name,Email address,Status,Grade,Maximum Grade,Feedback comments
Participant 71,Ada Byron,ada@example.org,-,,20.00,
Participant 72,Bo Berg,bo@example.org,-,,20.00,
"""


def blocks(section: str) -> list[tuple[str, str]]:
    """The fenced blocks of a section: what kind of text, and the text."""
    found = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", GUIDE, re.M | re.S)
    assert found is not None, section
    return re.findall(r"^```(\w*)\n(.*?)^```$", found[1], re.M | re.S)


def commands(clone_of: Path) -> str:
    """All commands as one script; the public address is that of this repository."""
    lines = []
    for section in FOLLOWED:
        for kind, text in blocks(section):
            if kind == "csv":
                lines.append(f"cat > by-hand.csv <<'END'\n{text}END\n")
            elif not kind:
                lines.append(text)
        if section == FOLLOWED[0]:
            lines.append('cp "$INPUTS"/* .\n')  # what an instructor has from the platform
    script = "".join(lines)
    address = "https://github.com/unblocked-course/unblocked"
    assert f"git clone {address}\n" in script
    return script.replace(f"git clone {address}\n", f"git clone -q 'file://{clone_of}' unblocked\n")


def inputs(folder: Path) -> None:
    (folder / "class.csv").write_text(LIST)
    with zipfile.ZipFile(folder / "submissions.zip", "w") as archive:
        for who, source in (("Ada Byron_71", "solutions"), ("Bo Berg_72", "exercises")):
            text = (REPOSITORY / source / "fan-out.ipynb").read_bytes()
            archive.writestr(f"{who}_assignsubmission_file/fan-out.ipynb", text)
    with zipfile.ZipFile(folder / "submissions.zip") as archive:
        archive.extractall(folder / "submissions")


def test_the_guide_as_it_stands(tmp_path: Path) -> None:
    given = tmp_path / "inputs"
    given.mkdir()
    inputs(given)
    python = tmp_path / "python"  # on PATH, as the guide asks for: 3.11 or newer
    python.mkdir()
    (python / "python3").symlink_to(interpreter("3.11"))
    shutil.copy(UV, python / "uv")
    path = f"{python}:{clean_environment()['PATH']}"
    changes = {"PATH": path, "INPUTS": str(given), "UNBLOCKED_HOME": str(tmp_path / "home")}
    script = commands(REPOSITORY).replace('cp "$INPUTS"/*', 'cp -r "$INPUTS"/*')
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=clean_environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-4000:]}"
    clone = tmp_path / "unblocked"
    with (clone / "total.csv").open(newline="", encoding="utf-8") as file:
        totals = {row["first_name"]: row["total"] for row in csv.DictReader(file)}
    assert totals == {"Ada": "9", "Bo": "0"}
    page = (clone / "class-course" / "README.md").read_text("utf-8")
    assert "gh/YOUR-ACCOUNT/YOUR-CLASS/" in page
    assert (clone / "class-course/.github/workflows/classroom.yml").is_file()
    assert zipfile.is_zipfile(clone / "fan-out-autograder.zip")
    lines = (clone / "marks" / "results.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)["exercise"] for line in lines} == {"fan-out"}
