"""The workflows for GitHub: read as YAML, and by the rules that audits of such files apply."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from unblocked.grading.classroom import github

ROOT = Path(__file__).resolve().parents[2]
TEXTS = {path.name: path.read_text("utf-8") for path in (ROOT / ".github/workflows").glob("*.yml")}
TEXTS["classroom.yml"] = github.workflow(["fan-out", "one-client"])
OF_GITHUB = ("actions/", "classroom-resources/")
"""Whose actions are used: GitHub's own."""


def jobs(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TEXTS[name])["jobs"]
    return found


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in jobs(name).values() for step in job["steps"]]


@pytest.mark.parametrize("name", TEXTS)
def test_a_workflow_is_given_no_more_than_it_needs(name: str) -> None:
    whole = yaml.safe_load(TEXTS[name])
    assert whole["permissions"]["contents"] == "read"
    assert "pull_request_target" not in TEXTS[name]
    assert all(job["timeout-minutes"] <= 60 for job in whole["jobs"].values())
    for step in steps(name):
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert step["uses"].startswith(OF_GITHUB)
            assert re.search(r"@[0-9a-f]{40}$", step["uses"])  # a tag may be moved by others
        else:  # what others chose the text of (a branch, a title) would be run
            assert "${{" not in step["run"]
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False


def test_the_audit_finds_nothing(tmp_path: Path) -> None:
    """zizmor, with all of its rules that need no network, as strict as it goes."""
    files = [tmp_path / ".github" / "workflows" / name for name in TEXTS]
    files[0].parent.mkdir(parents=True)
    for path in files:
        path.write_text(TEXTS[path.name], "utf-8")
    options = ("--offline", "--no-progress", "--strict-collection", "--persona=auditor")
    command = [Path(sysconfig.get_path("scripts"), "zizmor"), *options, *files]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("completed") == len(files)


@pytest.mark.parametrize("name", TEXTS)
def test_the_audit_would_find_something(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(re.sub(r"@[0-9a-f]{40} # (v\d+)\S*", r"@\1", TEXTS[name]), "utf-8")
    command = [Path(sysconfig.get_path("scripts"), "zizmor"), "--offline", "--no-progress", path]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert "unpinned-uses" in done.stdout


def test_an_action_is_pinned_once() -> None:
    """The same version wherever it is used, and the version stands beside the hash."""
    found: dict[str, set[str]] = {}
    for action, pin in re.findall(
        r"uses: (\S+?)@([0-9a-f]{40} # v[\d.]+)$", "\n".join(TEXTS.values()), re.M
    ):
        found.setdefault(action, set()).add(pin)
    assert len(found) == len(
        {a for text in TEXTS.values() for a in re.findall(r"uses: (\S+?)@", text)}
    )
    assert all(len(pins) == 1 for pins in found.values())


@pytest.mark.parametrize("name", TEXTS)
def test_what_a_step_refers_to_is_there(name: str) -> None:
    ids = {step["id"] for step in steps(name) if "id" in step}
    assert set(re.findall(r"steps\.([\w-]+)\.", TEXTS[name])) <= ids


def test_the_readmes_command_is_run_on_every_system_and_python() -> None:
    job = jobs("tests.yml")["tests"]
    assert "python3 start.py test" in (ROOT / "README.md").read_text("utf-8")
    assert job["steps"][-1]["run"] == "python start.py test"
    systems = {name.partition("-")[0] for name in job["strategy"]["matrix"]["os"]}
    assert systems == {"ubuntu", "macos", "windows"}
    requires = (ROOT / "pyproject.toml").read_text("utf-8")
    oldest = re.search(r'requires-python = ">=([\d.]+)"', requires)
    assert oldest is not None
    assert job["strategy"]["matrix"]["python"][0] == oldest[1]


def test_each_exercise_reports_to_the_classroom() -> None:
    """The reporter reads `ID_RESULTS`, the id in capitals, for each of its runners."""
    reporter = steps("classroom.yml")[-1]
    runners = reporter["with"]["runners"].split(",")
    assert runners == ["fan-out", "one-client"]
    assert set(reporter["env"]) == {f"{runner.upper()}_RESULTS" for runner in runners}


def test_a_result_holds_partial_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = {"name": "a", "passed": True, "points": 2, "max_points": 2, "message": "Well."}
    other = {"name": "b", "passed": False, "points": 0, "max_points": 4, "message": "Saw: x"}
    made = {"points": 2, "max_points": 6, "outcome": "graded", "checks": [check, other]}
    found = github.result(made)
    assert (found["version"], found["status"], found["max_score"]) == (1, "fail", 6)
    assert sum(test["score"] for test in found["tests"]) == 2
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    github.main("one-client", str(tmp_path / "none.ipynb"))
    name, _, value = (tmp_path / "output").read_text().partition("=")
    written = json.loads(base64.b64decode(value))
    assert (name, written["status"], written["max_score"]) == ("result", "error", 10)
    assert "There is no file" in written["tests"][0]["message"]
