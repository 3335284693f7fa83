"""What is not there on Windows or macOS is only used behind a question that says so.

mypy knows which names each system has, and reads `sys.platform` and `hasattr` questions, so that
a name that is used without one is an error for the system that lacks it.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TypeGuard

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "unblocked"
MODULES = sorted(PACKAGE.rglob("*.py"))


def says(module: Path, *systems: str) -> bool:
    """Whether the first lines of the module name the systems that it is for."""
    documentation = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
    return any(system in documentation for system in systems)


@pytest.mark.parametrize(
    ("platform", "said"),
    [
        pytest.param("darwin", ("Linux",), marks=pytest.mark.slow),
        ("win32", ("Linux", "POSIX")),
    ],
)
def test_mypy_passes_for(platform: str, said: tuple[str, ...]) -> None:
    cache = ROOT / ".mypy_cache" / platform
    command = [sys.executable, "-m", "mypy", "--platform", platform, "--cache-dir", str(cache)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert [e for e in errors if not says(ROOT / e.split(":")[0], *said)] == []
    assert done.returncode == bool(errors), done.stdout + done.stderr


def test_no_module_needs_to_import_what_windows_lacks() -> None:
    lacking = not_for_windows()
    found = {module.name: imported(module) & lacking for module in MODULES}
    assert {name: names for name, names in found.items() if names} == {}


def imported(module: Path) -> set[str]:
    """The packages that a module imports when it is imported itself."""
    tree = ast.parse(module.read_text("utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {getattr(node, "module", None) or node.names[0].name for node in imports}
    return {str(name).partition(".")[0] for name in names}


def not_for_windows() -> set[str]:
    """The dependencies that Windows does not get, as pyproject.toml marks them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needs = [Requirement(need) for need in project["dependencies"]]
    windows = {"sys_platform": "win32"}
    return {need.name for need in needs if need.marker and not need.marker.evaluate(windows)}


def test_uvloop_is_what_windows_does_not_get() -> None:
    assert not_for_windows() == {"uvloop"}


def test_linux_folders_are_only_read_where_linux_is_named() -> None:
    found = {module.name: linux_paths(module) for module in MODULES}
    assert {name: paths for name, paths in found.items() if paths} == {}


def linux_paths(module: Path) -> list[str]:
    """Folders of Linux that a module names without saying that it is for Linux."""
    text = module.read_text("utf-8")
    tree = ast.parse(text)
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    roots = ("/proc", "/sys", "/dev", "/tmp", "/usr")
    paths = [text for text in constants if isinstance(text, str) and text.startswith(roots)]
    return [] if says(module, "Linux") or 'sys.platform == "linux"' in text else paths


def test_text_is_read_and_written_as_utf_8() -> None:
    """Windows would otherwise use the code page of the country."""
    assert [where for module in MODULES for where in without_encoding(module)] == []


def without_encoding(module: Path) -> list[str]:
    """Where a module reads or writes text in whatever encoding the system has."""
    if says(module, "Linux"):
        return []
    tree = ast.parse(module.read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if is_text_call(node)]
    return [f"{module.name}:{call.lineno}" for call in calls if not says_encoding(call)]


def is_text_call(node: ast.AST) -> TypeGuard[ast.Call]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr in ("read_text", "write_text")


def says_encoding(node: ast.Call) -> bool:
    assert isinstance(node.func, ast.Attribute)
    position = 0 if node.func.attr == "read_text" else 1
    named = any(keyword.arg == "encoding" for keyword in node.keywords)
    return named or len(node.args) > position
