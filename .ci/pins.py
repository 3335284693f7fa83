"""Move the dependencies on purpose. Run it with the Python of .venv after `start.py test`.

python .ci/pins.py compile          write requirements.txt and environment.yml, moving what it must
python .ci/pins.py upgrade          the same, every pin moved to the newest version allowed
python .ci/pins.py newest [ARG...]  run the tests on the newest versions allowed (ARG... to pytest)
python .ci/pins.py oldest [ARG...]  run the tests on the oldest that pyproject.toml allows
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# Every pin, compiled from pyproject.toml by `python .ci/pins.py`; not edited by hand.\n"
ENVIRONMENT = """\
# For Binder, conda and mamba. The pins are written by `python .ci/pins.py`.
name: unblocked
channels: [conda-forge, nodefaults]
dependencies:
  - python=3.12 # exactly this form: Binder reads only python=X.Y
  - pip
  - pip:
      - -c requirements.txt
{pins}
      - -e .
"""


def uv(*arguments: str | Path) -> None:
    """Run uv at the root of the project; raises CalledProcessError when it fails."""
    subprocess.run([find_uv_bin(), *map(str, arguments)], cwd=ROOT, check=True)


def resolve(out: Path, *options: str) -> None:
    """Resolve pyproject.toml with all its extras for every system and Python into one file."""
    plain = ("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links")
    everything = ("--universal", "--all-extras", "--python-version", "3.11")
    uv("pip", "compile", "-q", *everything, *plain, *options, "pyproject.toml", "-o", out)


def compile_pins(*options: str) -> None:
    pins = ROOT / "requirements.txt"
    resolve(pins, *options)
    lines = [line for line in pins.read_text("utf-8").splitlines() if "==" in line]
    pins.write_text(HEADER + "\n".join(lines) + "\n", "utf-8")
    (ROOT / "environment.yml").write_text(environment(lines), "utf-8")


def environment(pins: list[str]) -> str:
    """environment.yml: the learner's direct dependencies with the versions that are pinned."""
    versions = dict(line.split(" ;")[0].split("==") for line in pins)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [f"      - {pinned(need, versions)}" for need in project["dependencies"]]
    return ENVIRONMENT.format(pins="\n".join(lines))


def pinned(requirement: str, versions: dict[str, str]) -> str:
    need, _, marker = requirement.partition(";")
    found = re.match(r"[\w.-]+", need)
    assert found is not None
    pin = f"{found.group()}=={versions[found.group()]}"
    return f'"{pin} ; {marker.strip()}"' if marker else pin


def run_tests(resolution: str, arguments: list[str]) -> int:
    """Run pytest in a virtual environment of its own; returns its exit code."""
    with tempfile.TemporaryDirectory(prefix="unblocked-pins-") as folder:
        pins, python = Path(folder, "pins.txt"), Path(folder, "venv", "bin", "python")
        resolve(pins, "--resolution", resolution)
        uv("venv", "-q", "--python", sys.executable, python.parent.parent)
        uv("pip", "install", "-q", "--python", python, "-c", pins, "-e", ".[dev]")
        path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
        command = [python, "-m", "pytest", *arguments]
        return subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}).returncode


def main(arguments: list[str]) -> int:
    match arguments:
        case ["compile"]:
            compile_pins()
        case ["upgrade"]:
            compile_pins("--upgrade")
        case ["newest", *rest]:
            return run_tests("highest", rest)
        case ["oldest", *rest]:
            return run_tests("lowest-direct", rest)
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
