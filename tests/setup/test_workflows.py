"""The workflows for GitHub: read as YAML, and by the rules that audits of such files apply."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from unblocked.grading.classroom import github

ROOT = Path(__file__).resolve().parents[2]
TEXTS = {path.name: path.read_text("utf-8") for path in (ROOT / ".github/workflows").glob("*.yml")}
TEXTS["classroom.yml"] = github.workflow(["fan-out", "one-client"])
OF_GITHUB = ("actions/", "classroom-resources/")
"""Owners whose actions are used by the tag of a major version: GitHub itself."""


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
            assert re.search(r"@v\d+$", step["uses"])
        else:  # what others chose the text of (a branch, a title) would be run
            assert "${{" not in step["run"]
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False


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
