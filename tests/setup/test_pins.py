"""pyproject.toml, requirements.txt, environment.yml and the devcontainer say the same."""

from __future__ import annotations

import importlib.util
import json
import re
import runpy
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LINES = [
    line
    for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


def requirements() -> list[Requirement]:
    extras = PROJECT["project"]["optional-dependencies"].values()
    listed = [*PROJECT["project"]["dependencies"], *(need for extra in extras for need in extra)]
    found = [Requirement(need) for need in listed]
    return [need for need in found if need.name != PROJECT["project"]["name"]]  # its own extras


def pins() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pin in map(Requirement, LINES):
        found.setdefault(pin.name, []).append(str(pin.specifier).removeprefix("=="))
    return found


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pins", ROOT / ".ci/pins.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_dependency_is_pinned_to_a_version_it_allows() -> None:
    pinned = pins()
    bad = {str(need): pinned.get(need.name) for need in requirements() if not allowed(need, pinned)}
    assert bad == {}


def allowed(need: Requirement, pinned: dict[str, list[str]]) -> bool:
    versions = pinned.get(need.name, [])
    return bool(versions) and all(need.specifier.contains(version) for version in versions)


def test_every_line_is_a_pin_and_no_address() -> None:
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; [^@:/]+)?", line) for line in LINES)


def test_environment_yml_holds_the_pins(tool: ModuleType) -> None:
    text = (ROOT / "environment.yml").read_text("utf-8")
    assert text == tool.environment(LINES), "run `python .ci/pins.py compile`"


def test_environment_yml_has_the_form_that_binder_reads() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    *conda, pip = environment["dependencies"]
    assert environment["channels"][0] == "conda-forge"
    assert conda == ["python=3.12", "pip"]
    assert pip["pip"][0] == "-c requirements.txt"
    assert pip["pip"][-1] == "-e ."


def test_nothing_else_decides_what_binder_builds() -> None:
    read_first = (
        *("Dockerfile", "binder", ".binder", "default.nix", "Project.toml", "REQUIRE"),
        *("install.R", "runtime.txt", "postBuild", "start", "apt.txt", "setup.py", "Pipfile"),
        *(".jupyter", ".ipython", ".local"),
    )
    assert [name for name in read_first if (ROOT / name).exists()] == []


def test_one_oldest_python_everywhere() -> None:
    start = runpy.run_path(str(ROOT / "start.py"))
    oldest = "{}.{}".format(*start["OLDEST"])
    assert PROJECT["project"]["requires-python"] == f">={oldest}"
    assert PROJECT["tool"]["mypy"]["python_version"] == oldest
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")


def test_the_devcontainer_has_binders_python_and_sets_up_as_anybody_does() -> None:
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text("utf-8"))
    assert container["image"].endswith(":3.12")
    assert container["postCreateCommand"] == "python3 start.py setup"


def test_the_top_level_can_be_taken_in_at_a_glance() -> None:
    hidden_or_made = re.compile(r"\.|__pycache__|dist$|node_modules$|.*\.egg-info$")
    seen = [path.name for path in ROOT.iterdir() if not hidden_or_made.match(path.name)]
    assert len(seen) <= 17, sorted(seen)
