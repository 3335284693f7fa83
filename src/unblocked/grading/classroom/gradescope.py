"""`unblocked gradescope`: an autograder for Gradescope, and its `results.json`.

The formats are those of Gradescope's documentation (*Autograder Specifications*): a zip with
`setup.sh`, which is run once as root where the image is built, and `run_autograder`, which is run
for each submission; the submission lies in `/autograder/submission`, the zip's own files in
`/autograder/source`, and `/autograder/results/results.json` holds the mark.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from typing import TYPE_CHECKING, Any

from unblocked import course
from unblocked._files import replace

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

SETUP = """#!/usr/bin/env bash
# Run once, as root, where Gradescope builds the image.
set -euo pipefail
cd /autograder/source
apt-get update
apt-get install -y --no-install-recommends python3 python3-venv
python3 start.py setup
"""
RUN = """#!/usr/bin/env bash
# Run for each submission.
set -uo pipefail
/autograder/source/.venv/bin/python -m unblocked.grading.classroom.gradescope \\
  {slug} /autograder/submission /autograder/results/results.json
"""
PACKED = ("course", "jupyter", "notebooks", "exercises", "src")
FILES = ("LICENSE", "README.md", "pyproject.toml", "requirements.txt", "start.py")
_LITTER = ("__pycache__", ".ipynb_checkpoints", ".egg-info")
_SOLVED = ("solution.py", "right", "wrong", "tasks")
"""What no marking needs. Where answers are kept from little, they could read it."""
_EXECUTABLE = 0o100755 << 16


def gradescope(args: argparse.Namespace) -> int:
    """Write the zip for one exercise: 0 when it is written.

    Raises:
        CourseError: there is no such exercise, or no checkout to pack.
    """
    room = course.room(args.slug)
    root = course.checkout()
    if args.out.suffix.lower() != ".zip":
        raise course.CourseError(f"{args.out}: give a name that ends in .zip.")
    if args.out.is_dir():
        raise course.CourseError(f"{args.out} is a folder: name a file in it.")
    replace(args.out, packed(root, room.slug))
    print(
        f"{args.out}: upload it as the autograder of a programming assignment, {room.points} points"
    )
    return 0


def packed(root: Path, slug: str) -> bytes:
    """The content of the zip: the course, and what Gradescope runs."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("setup.sh", SETUP), ("run_autograder", RUN.format(slug=slug))):
            info = zipfile.ZipInfo(name)
            info.external_attr = _EXECUTABLE
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text)
        for path in _course_files(root):
            archive.write(path, path.relative_to(root).as_posix())
    return content.getvalue()


def _course_files(root: Path) -> list[Path]:
    found = [path for name in PACKED for path in sorted((root / name).rglob("*"))]
    found += [root / name for name in FILES]
    return [
        path
        for path in found
        if path.is_file()
        and not path.is_symlink()
        and not any(part.endswith(_LITTER) for part in path.parts)
        and not _is_solved(path.relative_to(root))
    ]


def _is_solved(path: Path) -> bool:
    within = path.parts[:1] == ("course",) and "apps" not in path.parts
    return within and any(part in _SOLVED for part in path.parts)


def results(made: dict[str, Any]) -> dict[str, Any]:
    """`results.json` for what `unblocked check --json` prints: a test for each criterion."""
    tests = [
        {
            "name": check["name"],
            "score": check["points"],
            "max_score": check["max_points"],
            "status": "passed" if check["passed"] else "failed",
            "output": check["message"],
            "output_format": "text",
            "visibility": "visible",
        }
        for check in made["checks"]
    ]
    said = made["checks"][0]["message"] if made["outcome"] != "graded" and made["checks"] else ""
    output = "\n".join(filter(None, (said, str(made.get("note", "")))))
    return {
        "score": made["points"],
        "execution_time": round(made["seconds"]),
        "output": output,
        "output_format": "text",
        "tests": tests,
    }


def nothing(reason: str) -> dict[str, Any]:
    """`results.json` for a submission that cannot be marked: 0 points, with why."""
    return {"score": 0, "output": reason, "output_format": "text", "tests": []}


def marked(slug: str, folder: Path) -> dict[str, Any]:
    """Mark what lies in a submission's folder."""
    from unblocked.grading.classroom.submissions import find

    inside = find(folder.parent, course.exercise_slugs(), only=slug)
    files = [one.file for one in inside.submissions if one.file.parts[0] == folder.name]
    if not files:
        whys = "; ".join(f"{name}: {why}" for name, why in inside.unplaced[:5])
        return nothing(f"No answer to {slug} was found. {whys or 'Nothing was handed in.'}")
    return _check(slug, folder.parent.joinpath(*files[0].parts))


def _check(slug: str, path: Path) -> dict[str, Any]:
    import subprocess

    command = [sys.executable, "-m", "unblocked", "check", slug, str(path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    try:
        return results(json.loads(done.stdout))
    except ValueError:
        return nothing(f"It could not be marked: {done.stderr.strip() or done.returncode}")


def main(slug: str, folder: Path, out: Path) -> None:
    """What `run_autograder` runs; there is a result whatever happens."""
    try:
        found = marked(slug, folder)
    except Exception as error:  # else Gradescope shows a traceback, and no mark
        found = nothing(f"It could not be marked: {type(error).__name__}: {error}")
    replace(out, json.dumps(found, indent=1).encode())


if __name__ == "__main__":
    from pathlib import Path

    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
