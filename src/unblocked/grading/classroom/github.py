"""`unblocked classroom`: the workflow by which GitHub Classroom marks each push.

GitHub Classroom reads what `classroom-resources/autograding-grading-reporter` reports: the sum of
the scores of all tests, of `max_score`. That action takes from each step before it a result, JSON
in base64, in an environment variable `ID_RESULTS`; the form is that of the command grader beside
it (`generateResult`), which knows only all points or none, so the marks are made here.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from unblocked import course
from unblocked._files import put

if TYPE_CHECKING:
    import argparse

WORKFLOW = ".github/workflows/classroom.yml"
_HEAD = """\
name: Autograding Tests
on: [push, repository_dispatch]
permissions:
  contents: read
concurrency:
  group: autograding-${{ github.ref }}
  cancel-in-progress: true
jobs:
  run-autograding-tests:
    name: run-autograding-tests
    runs-on: ubuntu-latest
    permissions:
      checks: write # the marks, beside the push
      actions: read # which of these jobs it is
      contents: read # the answers
    if: github.actor != 'github-classroom[bot]'
    timeout-minutes: 30
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      - uses: actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97 # v7.0.0
        with:
          python-version: "3.12"
      - run: python3 start.py setup
"""
_STEP = """\
      - name: {slug}
        id: {slug}
        run: >-
          .venv/bin/python -m unblocked.grading.classroom.github
          {slug} exercises/{slug}.ipynb
"""
_REPORTER = (
    "classroom-resources/autograding-grading-reporter@d13b5912daf5042ac1b71bc38bdb4a6bcd61d8ca # v1"
)
_TAIL = """\
      - name: Autograding Reporter
        uses: {reporter}
        env:
{results}
        with:
          runners: {runners}
"""


def classroom(args: argparse.Namespace) -> int:
    """Write the workflow into a learners' copy: 0 when it is written.

    Raises:
        CourseError: there is no such exercise, or no such copy.
    """
    slugs = [course.room(slug).slug for slug in args.slugs]
    if not (args.folder / "start.py").is_file():
        raise course.CourseError(
            f"{args.folder} is no copy of the course: `unblocked build --for-learners` makes one."
        )
    path = args.folder / WORKFLOW
    if (kept := put(path, workflow(slugs).encode())) is not None:
        print(f"What was there is kept as {kept}")
    print(f"{path}: marks {', '.join(slugs)} at each push")
    return 0


def workflow(slugs: list[str]) -> str:
    """The workflow that marks these exercises."""
    results = "\n".join(
        f"          {slug.upper()}_RESULTS: ${{{{ steps.{slug}.outputs.result }}}}"
        for slug in slugs
    )
    steps = "".join(_STEP.format(slug=slug) for slug in slugs)
    return (
        _HEAD + steps + _TAIL.format(reporter=_REPORTER, results=results, runners=",".join(slugs))
    )


def result(made: dict[str, Any]) -> dict[str, Any]:
    """What the reporter takes, for what `unblocked check --json` prints."""
    tests = [
        {
            "name": check["name"],
            "status": "pass" if check["passed"] else "fail",
            "score": check["points"],
            "message": check["message"],
            "test_code": "" if check["passed"] else check["message"],
            "filename": "",
            "line_no": 0,
            "duration": 0,
        }
        for check in made["checks"]
    ]
    full = made["points"] == made["max_points"]
    status = "pass" if full else "fail"
    return {"version": 1, "status": status, "max_score": made["max_points"], "tests": tests}


def failed(slug: str, most: int, why: str) -> dict[str, Any]:
    """What the reporter takes for an answer that cannot be marked."""
    test = {
        "name": slug, "status": "error", "score": 0, "message": why, "test_code": "",
        "filename": "", "line_no": 0, "duration": 0,
    }  # fmt: skip
    return {"version": 1, "status": "error", "max_score": most, "tests": [test]}


def main(slug: str, file: str) -> None:
    """What a step of the workflow runs."""
    command = [sys.executable, "-m", "unblocked", "check", slug, file, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    try:
        found = result(json.loads(done.stdout))
    except ValueError:
        found = failed(slug, course.room(slug).points, done.stderr.strip())
    print(json.dumps(found, indent=1))
    encoded = base64.b64encode(json.dumps(found).encode()).decode()
    if output := os.environ.get("GITHUB_OUTPUT"):
        with open(output, "a", encoding="utf-8") as file_of_outputs:
            file_of_outputs.write(f"result={encoded}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
