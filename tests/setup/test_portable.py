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
    [("darwin", ("Linux",)), ("win32", ("Linux", "POSIX"))],
)
def test_mypy_passes_for(platform: str, said: tuple[str, ...]) -> None:
    cache = ROOT / ".mypy_cache" / platform
    command = [sys.executable, "-m", "mypy", "--platform", platform, "--cache-dir", str(cache)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert [e for e in errors if not says(ROOT / e.split(":")[0], *said)] == []
    assert done.returncode == bool(errors), done.stdout + done.stderr


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_needs_to_import_what_windows_lacks(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {getattr(node, "module", None) or node.names[0].name for node in imports}
    assert {str(name).partition(".")[0] for name in names}.isdisjoint(not_for_windows())


def not_for_windows() -> set[str]:
    """The dependencies that Windows does not get, as pyproject.toml marks them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needs = [Requirement(need) for need in project["dependencies"]]
    windows = {"sys_platform": "win32"}
    return {need.name for need in needs if need.marker and not need.marker.evaluate(windows)}


def test_uvloop_is_what_windows_does_not_get() -> None:
    assert not_for_windows() == {"uvloop"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_linux_folders_are_only_read_where_linux_is_named(module: Path) -> None:
    text = module.read_text("utf-8")
    tree = ast.parse(text)
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    roots = ("/proc", "/sys", "/dev", "/tmp", "/usr")
    paths = [text for text in constants if isinstance(text, str) and text.startswith(roots)]
    assert paths == [] or says(module, "Linux") or 'sys.platform == "linux"' in text


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_text_is_read_and_written_as_utf_8(module: Path) -> None:
    """Windows would otherwise use the code page of the country."""
    tree = ast.parse(module.read_text("utf-8"))
    if says(module, "Linux"):
        return
    calls = [node for node in ast.walk(tree) if is_text_call(node)]
    assert [f"line {call.lineno}" for call in calls if not says_encoding(call)] == []


def is_text_call(node: ast.AST) -> TypeGuard[ast.Call]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr in ("read_text", "write_text")


def says_encoding(node: ast.Call) -> bool:
    assert isinstance(node.func, ast.Attribute)
    position = 0 if node.func.attr == "read_text" else 1
    named = any(keyword.arg == "encoding" for keyword in node.keywords)
    return named or len(node.args) > position
